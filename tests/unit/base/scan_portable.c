/* The same tests over plain 64-bit words, the way for processors without SSE2 and NEON. */
#define SCAN_PORTABLE
#define SCAN_TEST(name) TEST(name##_in_words)
#include "scan_tests.h"
