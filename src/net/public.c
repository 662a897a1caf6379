#include "net/public.h"

#include <arpa/inet.h>
#include <string.h>

#define HOST_BYTES 64

struct range {
    uint8_t bytes[16];
    unsigned bits;
};

static const struct range ipv4_special[] = {
    {{0}, 8},             /* this host */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* shared by a carrier */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link local; clouds tell their secrets there */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocols */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relays */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, broadcast */
};
static const struct range ipv6_global[] = {{{0x20}, 3}};
static const struct range ipv6_special[] = {
    {{0x20, 0x01, 0x00}, 23},       /* protocols, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x3f, 0xff}, 20},             /* documentation */
};
static const struct range ipv6_mapped = {{[10] = 0xff, [11] = 0xff}, 96};
static const struct range ipv6_nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
static const struct range ipv6_6to4 = {{0x20, 0x02}, 16};

static bool is_in(const struct range *range, const uint8_t *ip)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    return memcmp(range->bytes, ip, whole) == 0 &&
           (rest == 0 || ((range->bytes[whole] ^ ip[whole]) & mask) == 0);
}

static bool is_in_any(const struct range *ranges, size_t count, const uint8_t *ip)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(&ranges[i], ip))
            return true;
    return false;
}

static bool ipv4_is_public(const uint8_t *ip)
{
    return !is_in_any(ipv4_special, ARRAY_LEN(ipv4_special), ip);
}

static bool ipv6_is_public(const uint8_t *ip)
{
    if (is_in(&ipv6_mapped, ip) || is_in(&ipv6_nat64, ip))
        return ipv4_is_public(ip + 12);
    if (is_in(&ipv6_6to4, ip))
        return ipv4_is_public(ip + 2);
    return is_in_any(ipv6_global, ARRAY_LEN(ipv6_global), ip) &&
           !is_in_any(ipv6_special, ARRAY_LEN(ipv6_special), ip);
}

bool addr_is_public(const struct addr *addr)
{
    struct str text = str_from(addr->text), host;
    char name[HOST_BYTES];
    uint8_t ip[16];

    if (str_starts(text, STR("[")))
        host = str_slice(text, 1, str_find_char(text, ']'));
    else
        host = str_slice(text, 0, str_find_char(text, ':'));
    if (host.len >= sizeof name)
        return false;
    memcpy(name, host.ptr, host.len);
    name[host.len] = 0;
    if (inet_pton(AF_INET, name, ip) == 1)
        return ipv4_is_public(ip);
    return inet_pton(AF_INET6, name, ip) == 1 && ipv6_is_public(ip);
}
