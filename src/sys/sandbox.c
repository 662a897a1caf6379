/* The filter is a list that allows; what is not on it ends the process through SIGSYS, whose handler says
 * what was tried. The handler cannot be replaced from inside: rt_sigaction is not on the list. */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

#if defined(__x86_64__)
#    define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#    define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#    error "the sandbox knows x86-64 and aarch64"
#endif

#ifndef SYS_SECCOMP
#    define SYS_SECCOMP 1 /* si_code of the trap */
#endif
#define CHECKS 2

/* `argument`'s low half, masked, must be `value`. The kernel takes these arguments as 32 bits. */
struct check {
    uint32_t argument, mask, value;
};
struct allowed {
    uint32_t call;
    struct check checks[CHECKS]; /* mask 0: none */
};

#define IS(argument, value)         \
    {                               \
        argument, UINT32_MAX, value \
    }
#define SELF 0 /* filled in: our own process number */

static const struct allowed allowed[] = {
    {__NR_read, {IS(0, STDIN_FILENO)}},
    {__NR_write, {IS(0, STDOUT_FILENO)}},
    {__NR_write, {IS(0, STDERR_FILENO)}},
    {__NR_mmap, {{2, PROT_EXEC, 0}, {3, MAP_ANONYMOUS, MAP_ANONYMOUS}}},
    {__NR_mprotect, {{2, PROT_EXEC, 0}}},
    {__NR_munmap, {{0}}},
    {__NR_mremap, {{0}}},
    {__NR_brk, {{0}}},
    {__NR_madvise, {{0}}},
    {__NR_futex, {IS(1, FUTEX_WAKE_PRIVATE)}}, /* pthread_once() ends with one */
    {__NR_clock_gettime, {{0}}},
    {__NR_sched_yield, {{0}}},
    {__NR_sysinfo, {{0}}}, /* qsort() asks how much memory there is */
    {__NR_getpid, {{0}}},
    {__NR_gettid, {{0}}},
    {__NR_rt_sigprocmask, {{0}}}, /* abort() */
    {__NR_rt_sigreturn, {{0}}},
    {__NR_sigaltstack, {{0}}}, /* sanitizers, at the end */
    {__NR_tgkill, {IS(0, SELF), IS(2, SIGABRT)}},
    {__NR_exit, {{0}}},
    {__NR_exit_group, {{0}}},
};

/* What people call it; others are shown by number. */
static const struct {
    long call;
    const char *words;
} known[] = {
#ifdef __NR_open
    {__NR_open, "open a file"},
    {__NR_stat, "look at a file"},
    {__NR_unlink, "remove a file"},
    {__NR_fork, "start a process"},
    {__NR_vfork, "start a process"},
#endif
    {__NR_openat, "open a file"},
    {__NR_newfstatat, "look at a file"},
    {__NR_unlinkat, "remove a file"},
    {__NR_getdents64, "list a folder"},
    {__NR_read, "read another descriptor"},
    {__NR_write, "write to another descriptor"},
    {__NR_socket, "use the network"},
    {__NR_connect, "use the network"},
    {__NR_sendto, "use the network"},
    {__NR_clone, "start a process or thread"},
    {__NR_clone3, "start a process or thread"},
    {__NR_execve, "start a program"},
    {__NR_execveat, "start a program"},
    {__NR_ptrace, "look into another process"},
    {__NR_process_vm_readv, "look into another process"},
    {__NR_kill, "send a signal"},
    {__NR_tgkill, "send a signal"},
    {__NR_mmap, "map a file or code"},
    {__NR_mprotect, "make memory executable"},
    {__NR_prctl, "change its own rights"},
    {__NR_seccomp, "change its own rights"},
    {__NR_setrlimit, "change its own limits"},
    {__NR_prlimit64, "change its own limits"},
};

/* --- what was tried --------------------------------------------------------------------------- */

static void say(const char *text)
{
    ssize_t put = write(STDERR_FILENO, text, strlen(text));

    (void)put;
}

static void say_number(unsigned n)
{
    char digits[12];
    size_t at = sizeof digits - 1;

    digits[at] = 0;
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    say(digits + at);
}

/* Not _exit(): sanitizers do more there than may be done here. */
NORETURN static void end(void)
{
    for (;;)
        syscall(__NR_exit_group, SANDBOX_EXIT);
}

/* Only write() and arithmetic: it runs in the middle of anything. */
NORETURN static void refuse(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    say(SANDBOX_WORDS "tried to ");
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].call == info->si_syscall) {
            say(known[i].words);
            say(" (system call ");
            say_number((unsigned)info->si_syscall);
            say(")\n");
            end();
        }
    say("make system call ");
    say_number((unsigned)info->si_syscall);
    say("\n");
    end();
}

/* --- the filter ------------------------------------------------------------------------------- */

struct filter {
    struct sock_filter code[4 + ARRAY_LEN(allowed) * (3 + 3 * CHECKS) + 1];
    unsigned short count;
};

static void add(struct filter *f, int code, uint32_t k, unsigned yes, unsigned no)
{
    ASSERT(f->count < ARRAY_LEN(f->code));
    f->code[f->count++] =
        (struct sock_filter){(unsigned short)code, (unsigned char)yes, (unsigned char)no, k};
}

static void add_allowed(struct filter *f, const struct allowed *a)
{
    size_t checks = 0;

    while (checks < CHECKS && a->checks[checks].mask)
        checks++;
    add(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    add(f, BPF_JMP | BPF_JEQ | BPF_K, a->call, 0, (unsigned)(3 * checks + 1));
    for (size_t i = 0; i < checks; i++) {
        struct check c = a->checks[i];
        uint32_t value = a->call == __NR_tgkill && c.argument == 0 ? (uint32_t)getpid() : c.value;

        /* little-endian, as both machines are: the low half comes first */
        add(f, BPF_LD | BPF_W | BPF_ABS,
            (uint32_t)(offsetof(struct seccomp_data, args) + 8 * c.argument), 0, 0);
        add(f, BPF_ALU | BPF_AND | BPF_K, c.mask, 0, 0);
        add(f, BPF_JMP | BPF_JEQ | BPF_K, value, 0, (unsigned)(3 * (checks - i - 1) + 1));
    }
    add(f, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* A call of another calling convention (32 bits, x32) has other numbers: none of those. x32 has the
 * same architecture but bit 30 in every number, so none is on the list. */
static bool set_filter(struct err *err)
{
    struct filter f = {.count = 0};

    add(&f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    add(&f, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    add(&f, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        add_allowed(&f, &allowed[i]);
    add(&f, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
    struct sock_fprog program = {f.count, f.code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "the kernel refuses seccomp filters");
    return true;
}

/* --- limits ----------------------------------------------------------------------------------- */

static void limit(__rlimit_resource_t what, rlim_t most)
{
    /* Seconds: at the lower one SIGXCPU, which says why; at the upper one SIGKILL. */
    struct rlimit l = {most, most + (what == RLIMIT_CPU)};

    setrlimit(what, &l);
}

/* Sanitizers reserve terabytes, programs map libraries: the limit is for what comes on top. */
static size_t address_space_in_use(void)
{
    char text[64] = "";
    uint64_t pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

    if (fd >= 0)
        close(fd);
    struct str s = {text, got > 0 ? (size_t)got : 0};
    return u64_parse(str_slice(s, 0, str_find_char(s, ' ')), &pages)
               ? (size_t)pages * (size_t)sysconf(_SC_PAGESIZE)
               : 0;
}

static void set_limits(const struct sandbox_limits *l)
{
    limit(RLIMIT_AS, address_space_in_use() + l->memory_max);
    limit(RLIMIT_CPU, (rlim_t)((l->cpu_max + SECOND - 1) / SECOND));
    limit(RLIMIT_NOFILE, 0);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_MEMLOCK, 0);
    limit(RLIMIT_MSGQUEUE, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

bool sandbox_is_possible(struct err *err)
{
    uint32_t action = SECCOMP_RET_TRAP;

    if (syscall(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "the kernel refuses seccomp filters");
    return true;
}

bool sandbox_enter(const struct sandbox_limits *limits, struct err *err)
{
    struct sigaction action = {.sa_sigaction = refuse, .sa_flags = SA_SIGINFO};

    sigfillset(&action.sa_mask);
    sigaction(SIGSYS, &action, NULL);
    set_limits(limits);
    return set_filter(err);
}
