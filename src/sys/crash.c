/* Running into the guard page below a fiber's stack is a mistake of ours that would show as a bare
 * SIGSEGV at some innocent address. A handler on a stack of its own names it; then the signal takes
 * its usual way, so that core file and supervisor see it. Sanitizers bring a handler of their own. */
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/loop_internal.h"
#include "sys/sanitize.h"

static void say(const char *text)
{
    ssize_t put = write(STDERR_FILENO, text, strlen(text));

    (void)put;
}

/* printf may lock; this only divides. */
static void say_hex(uintptr_t value)
{
    char text[2 + 2 * sizeof value + 1] = "0x";

    for (size_t i = 0; i < 2 * sizeof value; i++)
        text[2 + i] = "0123456789abcdef"[value >> (8 * sizeof value - 4 - 4 * i) & 15];
    text[sizeof text - 1] = 0;
    say(text);
}

static void name_overflow(int signal_number, siginfo_t *info, void *context)
{
    struct fiber *f = fiber_self();
    uintptr_t at = (uintptr_t)info->si_addr;

    (void)context;
    if (f && at < (uintptr_t)f->stack_low && at >= (uintptr_t)f->stack_low - STACK_GUARD_BYTES) {
        say("weir: fiber stack overflow in the fiber that runs ");
        say_hex((uintptr_t)f->fn);
        say("\n");
    }
    signal(signal_number, SIG_DFL); /* on return the same access faults again, for good */
}

void crash_watch_begin(struct crash_watch *watch)
{
    static atomic_flag installed = ATOMIC_FLAG_INIT;
    stack_t own = {.ss_sp = watch->stack, .ss_size = sizeof watch->stack};
    struct sigaction action = {.sa_sigaction = name_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    if (SANITIZE_ADDRESS || SANITIZE_THREAD)
        return;
    sigaltstack(&own, &watch->before);
    sigemptyset(&action.sa_mask);
    if (!atomic_flag_test_and_set(&installed)) {
        sigaction(SIGSEGV, &action, NULL);
        sigaction(SIGBUS, &action, NULL);
    }
}

void crash_watch_end(struct crash_watch *watch)
{
    /* Two macros that are often both 0. NOLINTNEXTLINE(misc-redundant-expression) */
    if (!SANITIZE_ADDRESS && !SANITIZE_THREAD)
        sigaltstack(&watch->before, NULL);
}
