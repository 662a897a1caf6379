/* Printed by tests/quality/train.c from the development splits it lists; docs/quality.md says how.
 * Columns: enum feature and enum sign, in order. */
#include "knowledge/choose.h"

const float sentence_weights[LANGUAGES][FEATURES] = {
    {7.079f, 0.985f, 3.723f, 4.069f,  3.083f,  1.222f, 1.198f,  4.739f,  0.303f, 1.182f, -0.969f,
     0.216f, 0.326f, 0.958f, -0.873f, -2.153f, 0.137f, -0.135f, -1.415f, 0.268f, -0.369f},
    {8.443f, 4.019f,  -0.002f, 8.605f,  4.197f,  1.835f, 1.939f,  3.845f,  0.644f,  1.583f, -0.400f,
     0.972f, -0.057f, -0.215f, -0.879f, -0.007f, 0.799f, -0.025f, -0.543f, -0.439f, 1.815f},
};
const float confidence_weights[LANGUAGES][SIGNS + 1] = {
    {0.929f, 0.505f, 1.433f, -0.048f, 0.818f, -0.384f, 2.464f, -0.413f, -1.003f, 0.020f, -0.339f,
     1.942f, -0.030f, 2.267f, -4.725f},
    {-0.842f, 1.388f, 2.604f, 0.142f, 1.436f, 1.501f, 3.079f, -0.146f, -1.183f, -0.182f, -0.505f,
     -0.425f, -0.009f, 0.000f, -4.601f},
};

const float answer_bar = 0.31f;
