// An ordinary C program: stdio, malloc, threads with mutexes and condition variables, queued real-time signals,
// and processes that write to a pipe. It knows nothing of the kernel it runs on, and prints the same everywhere.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, JOBS = 400, SIGNALS = 24, PROCESSES = 16, LINES = 25 };

static void check(int good, const char *what) {
    if (!good) {
        fprintf(stderr, "everyday: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

// The heap: blocks of all sizes, freed in another order, each with its own pattern.
static void churn_memory(void) {
    enum { BLOCKS = 500 };
    unsigned char *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    uint32_t random = 12345;
    for (int i = 0; i < BLOCKS; i++) {
        random = random * 1664525 + 1013904223;
        sizes[i] = i % 50 == 0 ? 300000 + random % 100000 : random % 3000 + 1;
        blocks[i] = malloc(sizes[i]);
        check(blocks[i] != NULL, "malloc");
        memset(blocks[i], i & 0xff, sizes[i]);
    }
    for (int i = 0; i < BLOCKS; i += 2) {
        sizes[i] *= 2;
        blocks[i] = realloc(blocks[i], sizes[i]);
        check(blocks[i] != NULL, "realloc");
        memset(blocks[i] + sizes[i] / 2, i & 0xff, sizes[i] / 2);
    }
    unsigned long total = 0, wrong = 0;
    for (int i = BLOCKS - 1; i >= 0; i--) {
        for (size_t byte = 0; byte < sizes[i]; byte++) {
            wrong += blocks[i][byte] != (i & 0xff);
        }
        total += sizes[i];
        free(blocks[i]);
    }
    printf("memory: %d blocks, %lu bytes, %lu wrong\n", BLOCKS, total, wrong);
}

// Formatted output and input through a temporary file.
static void use_files(void) {
    FILE *file = tmpfile();
    check(file != NULL, "tmpfile");
    for (int i = 0; i < 1000; i++) {
        check(fprintf(file, "%d %x %.3f\n", i, i * i, i / 8.0) > 0, "fprintf");
    }
    check(fseek(file, 0, SEEK_SET) == 0, "fseek");
    long sum = 0;
    double fractions = 0;
    int lines = 0, decimal;
    unsigned hexadecimal;
    double fraction;
    while (fscanf(file, "%d %x %lf", &decimal, &hexadecimal, &fraction) == 3) {
        sum += (long)hexadecimal - (long)decimal * decimal + decimal;
        fractions += fraction;
        lines++;
    }
    check(fclose(file) == 0, "fclose");
    printf("files: %d lines, sum %ld, fractions %.3f\n", lines, sum, fractions);
}

// A bounded queue between threads.
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full;
    int items[5], count, closed;
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER,
           .not_empty = PTHREAD_COND_INITIALIZER,
           .not_full = PTHREAD_COND_INITIALIZER};

static long results[THREADS];
static __thread long own_sum;

static void put(int item) {
    pthread_mutex_lock(&queue.mutex);
    while (queue.count == 5) {
        pthread_cond_wait(&queue.not_full, &queue.mutex);
    }
    queue.items[queue.count++] = item;
    pthread_cond_signal(&queue.not_empty);
    pthread_mutex_unlock(&queue.mutex);
}

static int take(int *item) {
    pthread_mutex_lock(&queue.mutex);
    while (queue.count == 0 && !queue.closed) {
        pthread_cond_wait(&queue.not_empty, &queue.mutex);
    }
    int taken = queue.count > 0;
    if (taken) {
        *item = queue.items[--queue.count];
        pthread_cond_signal(&queue.not_full);
    }
    pthread_mutex_unlock(&queue.mutex);
    return taken;
}

static void *produce(void *argument) {
    for (int i = 0; i < JOBS; i++) {
        put((int)(intptr_t)argument * JOBS + i);
    }
    return NULL;
}

static void *consume(void *argument) {
    int item;
    while (take(&item)) {
        own_sum += item;
    }
    results[(intptr_t)argument] = own_sum;
    return NULL;
}

static void use_threads(void) {
    pthread_t producers[THREADS / 2], consumers[THREADS / 2];
    for (intptr_t i = 0; i < THREADS / 2; i++) {
        check(pthread_create(&producers[i], NULL, produce, (void *)i) == 0, "pthread_create");
        check(pthread_create(&consumers[i], NULL, consume, (void *)i) == 0, "pthread_create");
    }
    for (int i = 0; i < THREADS / 2; i++) {
        pthread_join(producers[i], NULL);
    }
    pthread_mutex_lock(&queue.mutex);
    queue.closed = 1;
    pthread_cond_broadcast(&queue.not_empty);
    pthread_mutex_unlock(&queue.mutex);
    long sum = 0;
    for (int i = 0; i < THREADS / 2; i++) {
        pthread_join(consumers[i], NULL);
        sum += results[i];
    }
    printf("threads: %d, sum %ld, of this thread %ld\n", THREADS, sum, own_sum);
}

static volatile sig_atomic_t handled;
static int values[SIGNALS];

static void note(int number, siginfo_t *info, void *context) {
    (void)context;
    if (number == SIGRTMIN + 1 && info->si_code == SI_QUEUE && handled < SIGNALS) {
        values[handled++] = info->si_value.sival_int;
    }
}

// Queued signals keep their order and their values; of two numbers the lower one goes first.
static void use_signals(void) {
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigaddset(&set, SIGRTMIN + 2);
    check(sigprocmask(SIG_BLOCK, &set, &old) == 0, "sigprocmask");
    for (int i = 0; i < SIGNALS; i++) {
        union sigval value = {.sival_int = i * i};
        check(sigqueue(getpid(), SIGRTMIN + 1 + (i % 2 == 0), value) == 0, "sigqueue");
    }
    int ordered = 1, last = -1;
    for (int i = 0; i < SIGNALS; i++) {
        siginfo_t info;
        int number = sigwaitinfo(&set, &info);
        check(number > 0, "sigwaitinfo");
        if (i == SIGNALS / 2) {
            last = -1;
        }
        ordered &= number == SIGRTMIN + (i < SIGNALS / 2 ? 1 : 2) && info.si_value.sival_int > last;
        last = info.si_value.sival_int;
    }
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    check(sigaction(SIGRTMIN + 1, &action, NULL) == 0, "sigaction");
    for (int i = 0; i < SIGNALS; i++) {
        union sigval value = {.sival_int = i};
        check(sigqueue(getpid(), SIGRTMIN + 1, value) == 0, "sigqueue");
    }
    check(sigprocmask(SIG_SETMASK, &old, NULL) == 0, "sigprocmask");
    int in_order = handled == SIGNALS;
    for (int i = 0; i < handled; i++) {
        in_order &= values[i] == i;
    }
    printf("signals: %s waited for, %s handled\n", ordered ? "in order" : "mixed up", in_order ? "in order" : "mixed up");
}

// Processes that all write lines to one pipe. Lines come in any order but never mixed.
static void use_processes(void) {
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    fflush(stdout);
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) {
            close(ends[0]);
            for (int line = 0; line < LINES; line++) {
                char text[64];
                int length = snprintf(text, sizeof text, "process %d line %d\n", i, line);
                check(write(ends[1], text, length) == length, "write");
            }
            _exit(i);
        }
    }
    close(ends[1]);
    int next[PROCESSES] = {0}, wrong = 0, lines = 0, process, line;
    FILE *reader = fdopen(ends[0], "r");
    check(reader != NULL, "fdopen");
    char text[100];
    while (fgets(text, sizeof text, reader)) {
        lines++;
        if (sscanf(text, "process %d line %d", &process, &line) != 2 || process < 0 || process >= PROCESSES ||
            line != next[process]++) {
            wrong++;
        }
    }
    fclose(reader);
    int statuses = 0, status;
    while (wait(&status) > 0) {
        check(WIFEXITED(status), "a child died");
        statuses += WEXITSTATUS(status);
    }
    printf("processes: %d, %d lines, %d wrong, statuses %d\n", PROCESSES, lines, wrong, statuses);
}

int main(int argc, char **argv) {
    printf("everyday: %d argument%s\n", argc - 1, argc == 2 ? "" : "s");
    for (int i = 1; i < argc; i++) {
        printf("argument %d: %s\n", i, argv[i]);
    }
    churn_memory();
    use_files();
    use_threads();
    use_signals();
    use_processes();
    return 0;
}
