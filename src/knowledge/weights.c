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
    {0.979f, 0.507f, 1.455f, 0.024f, 0.602f, -0.346f, 2.422f, -0.512f, -1.001f, 0.029f, -0.339f,
     1.925f, -0.029f, 2.302f, -4.715f},
    {-0.819f, 1.453f, 2.671f, 0.210f, 1.204f, 1.522f, 3.011f, -0.162f, -1.187f, -0.172f, -0.513f,
     -0.467f, -0.023f, 0.000f, -4.585f},
};
const float answerable_weights[LANGUAGES][SIGNS + 1] = {
    {1.062f, 0.087f, 1.613f, 0.518f, 2.715f, 0.028f, -0.101f, 0.611f, -1.095f, -0.020f, -0.482f,
     2.331f, 0.104f, 2.253f, -4.312f},
    {-0.606f, 2.980f, 2.667f, 1.784f, 3.554f, 2.239f, 0.204f, -0.965f, -1.267f, -0.294f, -0.215f,
     -0.416f, 0.654f, 0.000f, -4.470f},
};

const float answer_bar = 0.42f;
