#define SCAN_TEST(name) TEST(name)
#include "scan_tests.h"
