/* Printed by tests/quality/train.c from the development splits it lists; docs/quality.md says how.
 * Columns: enum feature and enum sign, in order. */
#include "knowledge/choose.h"

const float sentence_weights[LANGUAGES][FEATURES] = {
    {7.269f,  0.747f, 3.409f, 3.826f,  3.245f,  1.766f, 1.007f,  4.743f,  0.247f, 0.851f,
     -1.117f, 0.644f, 0.532f, -1.044f, -2.132f, 0.084f, -0.151f, -1.949f, 0.263f, -0.305f},
    {8.690f,  3.896f, 0.000f,  8.791f,  4.160f,  1.890f, 2.224f,  3.745f,  0.566f,  1.306f,
     -0.472f, 1.144f, -0.296f, -0.864f, -0.274f, 0.704f, -0.045f, -0.719f, -0.479f, 1.742f},
};
const float confidence_weights[LANGUAGES][SIGNS + 1] = {
    {0.872f, 0.902f, 1.097f, 0.072f, 1.182f, 0.229f, 2.385f, 0.073f, -1.116f, 0.368f, -0.510f,
     2.304f, -0.172f, 1.939f, -4.730f},
    {0.187f, 2.699f, 2.908f, -1.145f, 0.382f, 1.157f, 2.216f, 0.651f, -1.216f, 0.305f, -0.711f,
     0.611f, -0.264f, 0.000f, -4.211f},
};

const float answer_bar = 0.45f;
