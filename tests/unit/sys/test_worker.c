/* A kept child: questions and answers of any size, and every way in which it can fail. */
#include "sys/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "test.h"

/* An answer without having read the question. */
CHILD(early)
{
    struct str answer = STR("no thanks");
    struct err err = {0};

    return worker_reply(&answer, 1, &err) && pause() ? 1 : 0;
}

TEST(a_child_that_answers_early_is_heard_and_ended)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct worker *w CLEANUP(worker_stop) = NULL;
    struct str part = {arena_alloc(arena, 8 * MIB), 8 * MIB}, answer = STR_NONE;
    struct worker_call call = {.parts = &part,
                               .part_count = 1,
                               .answer_max = 100,
                               .cpu_max = SECOND,
                               .wall_max = 60 * SECOND};
    struct err err = {0};

    REQUIRE(
        worker_start((const char *const[]){"/proc/self/exe", "--child", "early", NULL}, &w, &err));
    EXPECT(worker_ask(w, arena, &call, &answer, &err) && str_eq(answer, STR("no thanks")), "%s",
           err.text);
    EXPECT(!worker_is_alive(w));
}

/* Replies with the question turned round; some questions make it misbehave. */
CHILD(echo)
{
    struct arena *arena = arena_new(64 * MIB);
    struct str question;
    struct err err = {0};

    for (size_t mark = arena_mark(arena); worker_receive(arena, 32 * MIB, &question, &err);
         arena_rewind(arena, mark)) {
        char *turned = arena_alloc(arena, question.len);

        if (str_eq(question, STR("leave")))
            return 0;
        if (str_eq(question, STR("die")))
            kill(getpid(), SIGKILL);
        if (str_eq(question, STR("sleep")))
            sleep(1000);
        if (str_eq(question, STR("half")))
            return write(1, "\x09\0\0\0\0\0\0\0half", 12) == 12 ? 0 : 1;
        if (str_eq(question, STR("huge")))
            return write(1, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8) == 8 ? pause() : 1;
        for (size_t i = 0; i < question.len; i++)
            turned[i] = question.ptr[question.len - 1 - i];
        struct str half[] = {{turned, question.len / 2},
                             {turned + question.len / 2, question.len - question.len / 2}};
        if (!worker_reply(half, 2, &err))
            return 8;
    }
    return err.code ? 7 : 0;
}

static bool start_echo(struct worker **out)
{
    struct err err = {0};
    bool ok =
        worker_start((const char *const[]){"/proc/self/exe", "--child", "echo", NULL}, out, &err);

    EXPECT(ok, "%s", err.text);
    return ok;
}

static bool ask(struct worker *w, struct arena *arena, struct str question, struct str *answer,
                struct err *err)
{
    struct str parts[] = {str_slice(question, 0, 3), STR(""), str_slice(question, 3, question.len)};
    struct worker_call call = {.parts = parts,
                               .part_count = ARRAY_LEN(parts),
                               .answer_max = 20 * MIB,
                               .cpu_max = 20 * SECOND,
                               .wall_max = str_eq(question, STR("sleep")) ? 200 * MILLISECOND
                                                                          : 60 * SECOND};

    return worker_ask(w, arena, &call, answer, err);
}

TEST(a_kept_child_is_asked_many_times)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(128 * MIB);
    struct worker *w CLEANUP(worker_stop) = NULL;
    static const size_t sizes[] = {0, 1, 2, 1000, 8 * MIB, 3};

    REQUIRE(start_echo(&w));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char *bytes = arena_alloc(arena, sizes[i]);
        struct str answer;
        struct err err = {0};
        bool same = true;

        for (size_t k = 0; k < sizes[i]; k++)
            bytes[k] = (char)(k * 7);
        REQUIRE(ask(w, arena, (struct str){bytes, sizes[i]}, &answer, &err), "%s", err.text);
        REQUIRE(answer.len == sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            same = same && answer.ptr[k] == bytes[sizes[i] - 1 - k];
        EXPECT(same, "%zu", sizes[i]);
    }
}

static const struct {
    const char *question;
    enum err_code code;
    const char *want;
} failures[] = {
    {"leave", ERR_UNAVAILABLE, "ended with status 0"},
    {"die", ERR_UNAVAILABLE, "was killed (signal 9)"},
    {"half", ERR_UNAVAILABLE, "ended with status 0"},
    {"huge", ERR_TOO_LARGE, "wrote more than 20971520 bytes"},
    {"sleep", ERR_TIMEOUT, "took longer than 200 ms"},
};

TEST(whatever_the_child_does_the_question_ends)
{
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct worker *w CLEANUP(worker_stop) = NULL;
        struct str answer;
        struct err err = {0};

        REQUIRE(start_echo(&w));
        EXPECT(!ask(w, arena, str_from(failures[i].question), &answer, &err));
        EXPECT(err.code == failures[i].code &&
                   str_starts(str_from(err.text), str_from(failures[i].want)),
               "%s: %s", failures[i].question, err.text);
        EXPECT(!worker_is_alive(w));
    }
    EXPECT(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child is left");
}

TEST(an_answer_larger_than_memory_is_an_error)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
    struct worker *w CLEANUP(worker_stop) = NULL;
    static char large[100000];
    struct str answer;
    struct err err = {0};

    REQUIRE(start_echo(&w));
    EXPECT(!ask(w, arena, (struct str){large, sizeof large}, &answer, &err));
    EXPECT(err.code == ERR_EXHAUSTED, "%s", err.text);
}

TEST(a_child_that_cannot_start_is_an_error)
{
    struct worker *w = NULL;
    struct err err = {0};

    EXPECT(!worker_start((const char *const[]){"/nonexistent", NULL}, &w, &err) && !w);
    EXPECT(err.code == ERR_UNAVAILABLE && strstr(err.text, "/nonexistent"), "%s", err.text);
}
