/* Which addresses are of the internet. */
#include "net/public.h"

#include <string.h>

#include "test.h"

static const struct {
    const char *addr;
    bool is_public;
} cases[] = {
    {"93.184.216.34:80", true},
    {"8.8.8.8:443", true},
    {"[2606:2800:220:1::1]:443", true},
    {"127.0.0.1:80", false},
    {"127.255.255.254:80", false},
    {"0.0.0.0:80", false},
    {"10.1.2.3:80", false},
    {"100.64.0.1:80", false},
    {"100.63.255.255:80", true},
    {"169.254.169.254:80", false},
    {"172.15.255.255:80", true},
    {"172.16.0.1:80", false},
    {"172.31.255.255:80", false},
    {"172.32.0.0:80", true},
    {"192.0.0.8:80", false},
    {"192.168.1.1:80", false},
    {"198.19.0.1:80", false},
    {"203.0.113.9:80", false},
    {"224.0.0.1:80", false},
    {"255.255.255.255:80", false},
    {"[::]:80", false},
    {"[::1]:80", false},
    {"[fe80::1]:80", false},
    {"[fc00::1]:80", false},
    {"[fd12::1]:80", false},
    {"[ff02::1]:80", false},
    {"[::ffff:127.0.0.1]:80", false},
    {"[::ffff:8.8.8.8]:80", true},
    {"[64:ff9b::7f00:1]:80", false},
    {"[64:ff9b::808:808]:80", true},
    {"[2002:7f00:1::]:80", false},
    {"[2001:db8::1]:80", false},
    {"[2001::1]:80", false},
    {"unix:/run/x.sock", false},
    {"localhost:80", false},
    {"", false},
};

TEST(addresses_of_the_internet)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct addr addr = {0};

        memcpy(addr.text, cases[i].addr, strlen(cases[i].addr));
        EXPECT(addr_is_public(&addr) == cases[i].is_public, "%s", cases[i].addr);
    }
}
