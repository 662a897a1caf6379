/* Printed by tests/quality/train.c from the development splits it lists; docs/quality.md says how.
 * Columns: enum feature and enum sign, in order. */
#include "knowledge/choose.h"

const float sentence_weights[LANGUAGES][FEATURES] = {
    {6.882f, 0.989f, 3.974f, 2.743f, 4.567f, 0.329f, 0.955f, -0.955f, 1.258f, -0.817f, -2.125f,
     -0.020f, -0.095f, -1.621f, 0.275f},
    {9.363f, 3.377f, 9.221f, 3.779f, 3.722f, 0.613f, 0.782f, -0.782f, -0.113f, -0.939f, -0.349f,
     0.656f, -0.037f, -0.507f, -0.474f},
};
const float confidence_weights[LANGUAGES][SIGNS + 1] = {
    {1.551f, 0.031f, 0.616f, -1.540f, 0.614f, -0.487f, 2.185f, -1.124f, -0.674f, 0.260f, -0.272f,
     2.107f, -0.348f, -2.973f},
    {0.913f, 0.367f, 2.269f, -1.808f, -2.417f, 0.297f, 3.675f, -0.150f, -0.766f, 0.168f, -0.245f,
     1.208f, -1.496f, -1.246f},
};

const float answer_bar = 0.5f;
