#include "hnswlib_oracle.h"

#include <hnswlib/hnswlib.h>

struct oracle {
    hnswlib::InnerProductSpace space;
    hnswlib::HierarchicalNSW<float> graph;

    oracle(size_t dim, size_t vectors, size_t links, size_t effort)
        : space(dim), graph(&space, vectors, links, effort)
    {
    }
};

extern "C" struct oracle *oracle_new(size_t dim, size_t vectors, size_t links, size_t effort)
{
    return new oracle(dim, vectors, links, effort);
}

extern "C" void oracle_add(struct oracle *oracle, const float *vector, size_t number)
{
    oracle->graph.addPoint(vector, number);
}

extern "C" size_t oracle_find(struct oracle *oracle, const float *vector, size_t limit,
                              size_t effort, uint64_t *out)
{
    oracle->graph.setEf(effort);
    auto found = oracle->graph.searchKnn(vector, limit);
    size_t count = found.size();

    for (size_t i = count; i-- > 0; found.pop())
        out[i] = found.top().second;
    return count;
}

extern "C" size_t oracle_bytes(const struct oracle *oracle)
{
    return oracle->graph.max_elements_ * oracle->graph.size_data_per_element_;
}

extern "C" void oracle_free(struct oracle *oracle)
{
    delete oracle;
}
