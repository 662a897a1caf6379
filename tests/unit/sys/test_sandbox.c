/* A process that has entered the sandbox tries to get out by every way there is: each ends it, with the
 * reason. The captive is this program, started again. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/pages.h"
#include "sys/clock.h"
#include "sys/sandbox.h"
#include "sys/sanitize.h"
#include "sys/worker.h"
#include "test.h"

#define CAPTIVE_MEMORY (96 * MIB)

static long parent;

/* 0 as a number means "whatever": the filter must stop it before arguments matter. */
static void try_open(void)
{
#ifdef __NR_open
    syscall(__NR_open, "/etc/passwd", O_RDONLY);
#else
    syscall(__NR_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
#endif
}
static void try_openat(void)
{
    syscall(__NR_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}
static void try_create(void)
{
    syscall(__NR_openat, AT_FDCWD, "/tmp/escaped", O_CREAT | O_WRONLY, 0600);
}
static void try_openat2(void)
{
    syscall(__NR_openat2, AT_FDCWD, "/etc/passwd", NULL, 0);
}
static void try_fopen(void)
{
    (void)!fopen("/etc/hostname", "r");
}
static void try_unlink(void)
{
    syscall(__NR_unlinkat, AT_FDCWD, "/tmp/nothing", 0);
}
static void try_list(void)
{
    syscall(__NR_getdents64, 0, NULL, 0);
}
static void try_memfd(void)
{
    syscall(__NR_memfd_create, "x", 0);
}
static void try_dup(void)
{
    syscall(__NR_dup, 1);
}
static void try_socket(void)
{
    syscall(__NR_socket, 2, 1, 0);
}
static void try_connect(void)
{
    syscall(__NR_connect, 0, NULL, 0);
}
static void try_send(void)
{
    syscall(__NR_sendto, 0, "x", 1, 0, NULL, 0);
}
static void try_sendmsg(void)
{
    syscall(__NR_sendmsg, 0, NULL, 0);
}
static void try_io_uring(void)
{
    syscall(__NR_io_uring_setup, 8, NULL);
}
static void try_fork(void)
{
    syscall(__NR_clone, SIGCHLD, NULL, NULL, NULL, 0);
}
static void try_clone3(void)
{
    syscall(__NR_clone3, NULL, 0);
}
static void try_exec(void)
{
    execve("/bin/true", (char *const[]){(char *)(uintptr_t) "true", NULL}, NULL);
}
static void try_exec_at(void)
{
    syscall(__NR_execveat, 0, "", NULL, NULL, 0x1000);
}
static void try_ptrace(void)
{
    syscall(__NR_ptrace, 16, parent, NULL, NULL);
}
static void try_peek(void)
{
    syscall(__NR_process_vm_readv, parent, NULL, 0, NULL, 0, 0);
}
static void try_kill(void)
{
    syscall(__NR_kill, parent, SIGKILL);
}
static void try_tgkill(void)
{
    syscall(__NR_tgkill, parent, parent, SIGABRT);
}
static void try_tgkill_self(void)
{
    syscall(__NR_tgkill, getpid(), getpid(), SIGSTOP);
}
static void try_write_3(void)
{
    (void)!write(3, "x", 1);
}
static void try_write_0(void)
{
    (void)!write(0, "x", 1);
}
static void try_read_1(void)
{
    char c;
    (void)!read(1, &c, 1);
}
static void try_handler(void)
{
    signal(SIGSYS, SIG_IGN);
}
static void try_filter(void)
{
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL);
}
static void try_limits(void)
{
    syscall(__NR_prlimit64, 0, 9, NULL, NULL);
}
static void try_code(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void try_map_file(void)
{
    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0);
}
static void try_make_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static void try_uid(void)
{
    syscall(__NR_setuid, 0);
}
static void try_mount(void)
{
    syscall(__NR_mount, NULL, NULL, NULL, 0, NULL);
}
static void try_chroot(void)
{
    syscall(__NR_chroot, "/");
}
static void try_userns(void)
{
    syscall(__NR_unshare, 0x10000000);
}
static void try_bpf(void)
{
    syscall(__NR_bpf, 0, NULL, 0);
}
static void try_x32(void)
{
    syscall(0x40000000 | __NR_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}
static void try_blocked(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    try_openat();
}
static void try_32_bits(void)
{
#ifdef __x86_64__
    long result = 20; /* getpid() there */

    __asm__ volatile("int $0x80" : "+a"(result));
#else
    raise(SIGSYS);
#endif
}
static void crash(void)
{
    static int *volatile nowhere = (int *)(uintptr_t)16; /* null is the sanitizer's own business */

    *nowhere = 1;
}
static void give_up(void)
{
    abort();
}
static void say_and_leave(void)
{
    (void)!write(2, "first\nlast \033[31mwords\n", 22);
    _exit(3);
}
static void spin(void)
{
    for (volatile uint64_t i = 0;; i++)
        continue;
}

static const struct {
    const char *name;
    void (*run)(void);
    const char *want;
} attempts[] = {
    {"open", try_open, "tried to open a file"},
    {"openat", try_openat, "tried to open a file"},
    {"create", try_create, "tried to open a file"},
    {"openat2", try_openat2, "tried to make system call"},
    {"fopen", try_fopen, "tried to open a file"},
    {"unlink", try_unlink, "tried to remove a file"},
    {"list", try_list, "tried to list a folder"},
    {"memfd", try_memfd, "tried to make system call"},
    {"dup", try_dup, "tried to make system call"},
    {"socket", try_socket, "tried to use the network"},
    {"connect", try_connect, "tried to use the network"},
    {"send", try_send, "tried to use the network"},
    {"sendmsg", try_sendmsg, "tried to make system call"},
    {"io_uring", try_io_uring, "tried to make system call"},
    {"fork", try_fork, "tried to start a process"},
    {"clone3", try_clone3, "tried to start a process"},
    {"exec", try_exec, "tried to start a program"},
    {"execveat", try_exec_at, "tried to start a program"},
    {"ptrace", try_ptrace, "tried to look into another process"},
    {"peek", try_peek, "tried to look into another process"},
    {"kill the parent", try_kill, "tried to send a signal"},
    {"abort the parent", try_tgkill, "tried to send a signal"},
    {"stop itself", try_tgkill_self, "tried to send a signal"},
    {"write 3", try_write_3, "tried to write to another descriptor"},
    {"write 0", try_write_0, "tried to write to another descriptor"},
    {"read 1", try_read_1, "tried to read another descriptor"},
    {"handler", try_handler, "tried to make system call"},
    {"filter", try_filter, "tried to change its own rights"},
    {"limits", try_limits, "tried to change its own limits"},
    {"code", try_code, "tried to map a file or code"},
    {"map a file", try_map_file, "tried to map a file or code"},
    {"make code", try_make_code, "tried to make memory executable"},
    {"setuid", try_uid, "tried to make system call"},
    {"mount", try_mount, "tried to make system call"},
    {"chroot", try_chroot, "tried to make system call"},
    {"user namespace", try_userns, "tried to make system call"},
    {"bpf", try_bpf, "tried to make system call"},
    {"x32", try_x32, "tried to make system call"},
    {"blocked signal", try_blocked, "crashed (signal 31)"},
    {"32 bits", try_32_bits, "crashed (signal 31)"},
    {"crash", crash, "crashed (signal 11)"},
    {"abort", give_up, "crashed (signal 6)"},
    {"leave", say_and_leave, "ended with status 3: last  [31mwords"},
    {"spin", spin, "took more than 200 ms of processor time"},
};

/* Calls by which others have got out of such places; arguments do not matter, as none of them may be begun. */
#define CALL(name, words)         \
    {                             \
#        name, __NR_##name, words \
    }
#define ANY "tried to make system call"

static const struct {
    const char *name;
    long call;
    const char *want;
} calls[] = {
#ifdef __NR_vfork
    CALL(vfork, "tried to start a process"),
    CALL(rename, ANY),
    CALL(symlink, ANY),
    CALL(link, ANY),
    CALL(mkdir, ANY),
    CALL(chmod, ANY),
    CALL(readlink, ANY),
    CALL(poll, ANY),
#endif
    CALL(renameat2, ANY),
    CALL(linkat, ANY),
    CALL(mkdirat, ANY),
    CALL(mknodat, ANY),
    CALL(fchmodat, ANY),
    CALL(readlinkat, ANY),
    CALL(truncate, ANY),
    CALL(ftruncate, ANY),
    CALL(chdir, ANY),
    CALL(statx, ANY),
    CALL(open_by_handle_at, ANY),
    CALL(name_to_handle_at, ANY),
    CALL(bind, ANY),
    CALL(listen, ANY),
    CALL(accept4, ANY),
    CALL(socketpair, ANY),
    CALL(recvfrom, ANY),
    CALL(recvmsg, ANY),
    CALL(io_uring_enter, ANY),
    CALL(io_uring_register, ANY),
    CALL(io_setup, ANY),
    CALL(splice, ANY),
    CALL(sendfile, ANY),
    CALL(vmsplice, ANY),
    CALL(process_vm_writev, ANY),
    CALL(pidfd_open, ANY),
    CALL(pidfd_getfd, ANY),
    CALL(pidfd_send_signal, ANY),
    CALL(tkill, ANY),
    CALL(rt_sigqueueinfo, ANY),
    CALL(shmget, ANY),
    CALL(shmat, ANY),
    CALL(pkey_mprotect, ANY),
    CALL(remap_file_pages, ANY),
    CALL(userfaultfd, ANY),
    CALL(personality, ANY),
    CALL(perf_event_open, ANY),
    CALL(keyctl, ANY),
    CALL(setns, ANY),
    CALL(pivot_root, ANY),
    CALL(init_module, ANY),
    CALL(kexec_load, ANY),
    CALL(reboot, ANY),
    CALL(ioctl, ANY),
    CALL(fcntl, ANY),
    CALL(rt_sigaction, ANY),
    CALL(setrlimit, "tried to change its own limits"),
    CALL(seccomp, "tried to change its own rights"),
    CALL(capset, ANY),
    CALL(clock_settime, ANY),
};

/* --- the captive ------------------------------------------------------------------------------ */

static struct str memory_left(void)
{
    enum { PIECE = 8 };
    size_t mib = 0;

    while (mib < 1024 && mmap(NULL, PIECE * MIB, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        mib += PIECE;
    return mib > 0 && mib * MIB <= CAPTIVE_MEMORY ? STR("within") : STR("beyond");
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The library asks the kernel for the size of memory before it sorts much. */
static struct str sort(void)
{
    static int numbers[20000];

    for (int i = 0; i < 20000; i++)
        numbers[i] = (i * 7919) % 20000;
    qsort(numbers, ARRAY_LEN(numbers), sizeof numbers[0], by_value);
    return numbers[0] == 0 && numbers[19999] == 19999 ? STR("fine") : STR("not sorted");
}

static struct str serve(struct str question)
{
    if (str_eq(question, STR("sort")))
        return sort();
    if (str_eq(question, STR("memory")))
        return memory_left();
    if (str_eq(question, STR("clock")))
        return clock_mono() > 0 && getpid() > 1 ? STR("fine") : STR("no clock");
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
        if (str_eq(question, str_from(attempts[i].name)))
            attempts[i].run();
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (str_eq(question, str_from(calls[i].name)))
            syscall(calls[i].call, 0, 0, 0, 0, 0, 0);
    return STR("free");
}

CHILD(captive)
{
    struct arena *arena = arena_new(MIB);
    struct sandbox_limits limits = {.memory_max = CAPTIVE_MEMORY,
                                    .cpu_max = argc > 2 ? SECOND : 60 * SECOND};
    struct str question, answer;
    struct err err = {0};

    parent = strtol(argv[1], NULL, 10);
    if (!sandbox_enter(&limits, &err))
        return 9;
    while (worker_receive(arena, MIB, &question, &err)) {
        answer = serve(question);
        if (!worker_reply(&answer, 1, &err))
            return 8;
    }
    return err.code ? 7 : 0;
}

static bool start_captive(struct worker **out, const char *more)
{
    static char number[24];
    struct err err = {0};

    (void)snprintf(number, sizeof number, "%ld", (long)getpid());
    bool ok = worker_start(
        (const char *const[]){"/proc/self/exe", "--child", "captive", number, more, NULL}, out,
        &err);
    EXPECT(ok, "%s", err.text);
    return ok;
}

static bool ask(struct worker *w, struct arena *arena, const char *what, dur_ns cpu_max,
                struct str *answer, struct err *err)
{
    struct str part = str_from(what);
    struct worker_call call = {.parts = &part,
                               .part_count = 1,
                               .answer_max = 100,
                               .cpu_max = cpu_max,
                               .wall_max = 60 * SECOND};

    return worker_ask(w, arena, &call, answer, err);
}

/* The thread sanitizer keeps handlers to itself, so that setting one is no system call; its own for crashes
 * asks for a terminal first, and is refused. */
static bool is_the_sanitizers(const char *name)
{
    return SANITIZE_THREAD && (strcmp(name, "handler") == 0 || strcmp(name, "crash") == 0);
}

TEST(every_way_out_of_the_sandbox_is_shut)
{
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        if (is_the_sanitizers(attempts[i].name))
            continue;
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct worker *w CLEANUP(worker_stop) = NULL;
        struct str answer = STR_NONE;
        struct err err = {0};

        REQUIRE(start_captive(&w, NULL));
        EXPECT(ask(w, arena, "clock", SECOND, &answer, &err) && str_eq(answer, STR("fine")));
        EXPECT(!ask(w, arena, attempts[i].name, 200 * MILLISECOND, &answer, &err), "%s: " STR_FMT,
               attempts[i].name, STR_ARG(answer));
        EXPECT(str_starts(str_from(err.text), str_from(attempts[i].want)), "%s: %s",
               attempts[i].name, err.text);
        EXPECT(!worker_is_alive(w));
    }
}

TEST(no_other_call_is_left_in_the_sandbox)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct worker *w CLEANUP(worker_stop) = NULL;
        struct str answer = STR_NONE;
        struct err err = {0};

        REQUIRE(start_captive(&w, NULL));
        EXPECT(!ask(w, arena, calls[i].name, SECOND, &answer, &err), "%s: " STR_FMT, calls[i].name,
               STR_ARG(answer));
        EXPECT(str_starts(str_from(err.text), str_from(calls[i].want)), "%s: %s", calls[i].name,
               err.text);
        EXPECT(!worker_is_alive(w));
    }
}

TEST(memory_of_the_captive_ends_at_its_limit)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct worker *w CLEANUP(worker_stop) = NULL;
    struct str answer = STR_NONE;
    struct err err = {0};

    REQUIRE(start_captive(&w, NULL));
    EXPECT(ask(w, arena, "memory", 10 * SECOND, &answer, &err), "%s", err.text);
    EXPECT(str_eq(answer, STR("within")), STR_FMT, STR_ARG(answer));
}

TEST(the_captive_can_sort)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct worker *w CLEANUP(worker_stop) = NULL;
    struct str answer = STR_NONE;
    struct err err = {0};

    REQUIRE(start_captive(&w, NULL));
    EXPECT(ask(w, arena, "sort", 10 * SECOND, &answer, &err) && str_eq(answer, STR("fine")), "%s",
           err.text);
}

TEST(processor_time_of_the_captive_ends_even_if_nobody_looks)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct worker *w CLEANUP(worker_stop) = NULL;
    struct str answer;
    struct err err = {0};

    REQUIRE(start_captive(&w, "one second"));
    EXPECT(!ask(w, arena, "spin", 50 * SECOND, &answer, &err));
    EXPECT(err.code == ERR_TIMEOUT && strstr(err.text, "too much processor time"), "%s", err.text);
}

/* --- a kernel that refuses -------------------------------------------------------------------- */

CHILD(refused)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_seccomp, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {ARRAY_LEN(code), code};
    struct sandbox_limits limits = {.memory_max = GIB, .cpu_max = 60 * SECOND};
    struct err possible = {0}, entered = {0};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return 9;
    if (sandbox_is_possible(&possible) || sandbox_enter(&limits, &entered))
        return 8;
    struct str answer = str_from(
        str_eq(str_from(possible.text), str_from(entered.text)) ? entered.text : "two reasons");
    return worker_reply(&answer, 1, &possible) ? 0 : 7;
}

TEST(a_kernel_without_filters_is_said_and_not_passed_over)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct worker *w CLEANUP(worker_stop) = NULL;
    struct str answer = STR_NONE;
    struct err err = {0};

    EXPECT(sandbox_is_possible(&err), "%s", err.text);
    REQUIRE(worker_start((const char *const[]){"/proc/self/exe", "--child", "refused", NULL}, &w,
                         &err));
    EXPECT(ask(w, arena, "", SECOND, &answer, &err), "%s", err.text);
    EXPECT(str_eq(answer, STR("the kernel refuses seccomp filters: Function not implemented")),
           STR_FMT, STR_ARG(answer));
}
