/* eve_ring.h: the rings of eve, from C.
 *
 * A ring moves records of five 64-bit words from one producer to one consumer, between threads or
 * processes, in a mapped file. This header and eve_ring_format.h beside it, which has the numbers, need
 * no library: they speak the bytes that docs/format.md of the project describes ("Ring"), with C11
 * atomics, on 64-bit little-endian Linux. A side that
 * another process holds is refused; a side whose holder died is taken over where it was; what the
 * other side writes is checked, and a contradiction poisons the ring.
 *
 *     eve_ring ring;
 *     if (eve_ring_open(&ring, "/dev/shm/my.ring", EVE_RING_PRODUCER) != EVE_RING_OK) ...
 *     uint64_t record[5] = {1, 2, 3, 4, 5};
 *     while (eve_ring_push(&ring, record) == EVE_RING_WAIT) eve_ring_sleep(&ring, 1000);
 *     eve_ring_detach(&ring);
 *
 * A pop releases the record as it hands it out: across the death of a consumer delivery is at most
 * once; across the death of a producer nothing is lost or doubled.
 */
#ifndef EVE_RING_H
#define EVE_RING_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "eve_ring_format.h"

enum eve_ring_side { EVE_RING_PRODUCER, EVE_RING_CONSUMER };

enum eve_ring_status {
    EVE_RING_OK = 0,
    EVE_RING_WAIT,        /* full, or empty, for now */
    EVE_RING_CLOSED,      /* nothing more will come, or be taken */
    EVE_RING_IS_POISONED, /* one side broke the protocol: make a new ring */
    EVE_RING_OCCUPIED,    /* a live process has the side */
    EVE_RING_NOT_A_RING,  /* the file holds something else, or another version */
    EVE_RING_SYSTEM       /* errno says what */
};

typedef struct {
    _Atomic uint64_t *words;
    size_t bytes;
    uint64_t capacity, identity;
    uint64_t mine;  /* the next record of this side */
    uint64_t limit; /* records before this one are known to be writable, or readable */
    uint32_t layout;
    enum eve_ring_side side;
    int barrier; /* the kernel orders our stores for whoever falls asleep */
} eve_ring;

/* ---- Identity: which process holds a side. ---- */

static inline uint64_t eve_ring_fnv(uint64_t hash, const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) hash = (hash ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline ssize_t eve_ring_read_file(const char *path, char *buffer, size_t room) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t count = read(file, buffer, room - 1);
    close(file);
    if (count >= 0) buffer[count] = 0;
    return count;
}

/* The number of this pid namespace, 0 unless /proc shows the processes of that very namespace. */
static inline uint32_t eve_ring_namespace(void) {
    char status[8192];
    struct stat namespace_file;
    if (eve_ring_read_file("/proc/self/status", status, sizeof status) <= 0) return 0;
    char *pids = strstr(status, "\nNSpid:");
    if (!pids || stat("/proc/self/ns/pid", &namespace_file)) return 0;
    int one, two;
    char *end = strchr(pids + 1, '\n');
    if (end) *end = 0;
    if (sscanf(pids + 7, "%d %d", &one, &two) != 1) return 0;
    return namespace_file.st_ino <= UINT32_MAX ? (uint32_t)namespace_file.st_ino : 0;
}

/* 1 running, 0 gone, -1 unknown; `start` gets ten bits of when it began, and of this boot. */
static inline int eve_ring_process(uint32_t pid, uint64_t *start) {
    char path[64], stat_line[1024], boot[64];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    if (eve_ring_read_file(path, stat_line, sizeof stat_line) <= 0)
        return pid <= INT_MAX && kill((pid_t)pid, 0) && errno == ESRCH ? 0 : -1;
    char *field = strrchr(stat_line, ')');
    if (!field || !field[1]) return -1;
    field += 2;
    if (*field == 'Z' || *field == 'X' || *field == 'x') return 0;
    for (int skip = 0; skip < 19 && field; skip++) field = (field = strchr(field, ' ')) ? field + 1 : 0;
    ssize_t boot_bytes = eve_ring_read_file("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    if (!field || boot_bytes <= 0) return -1;
    uint64_t hash = eve_ring_fnv(UINT64_C(0xcbf29ce484222325), field, strcspn(field, " \n"));
    hash = eve_ring_fnv(hash, boot, (size_t)boot_bytes);
    *start = (hash ^ hash >> 32) & 1023;
    return 1;
}

static inline uint64_t eve_ring_identity(void) {
    uint64_t pid = (uint64_t)getpid(), start, space = eve_ring_namespace();
    if (!space || eve_ring_process((uint32_t)pid, &start) != 1) return pid << 42;
    return pid << 42 | space << 10 | start;
}

static inline int eve_ring_is_alive(uint64_t identity) {
    uint64_t start = 0;
    uint32_t space = eve_ring_namespace();
    if (!space || space != (uint32_t)(identity >> 10)) return 1;
    int state = eve_ring_process((uint32_t)(identity >> 42), &start);
    return state < 0 || (state == 1 && start == (identity & 1023));
}

/* ---- What both sides share. ---- */

static inline uint64_t eve_ring_load(eve_ring *ring, size_t word, memory_order order) {
    return atomic_load_explicit(&ring->words[word], order);
}

static inline void eve_ring_store(eve_ring *ring, size_t word, uint64_t value, memory_order order) {
    atomic_store_explicit(&ring->words[word], value, order);
}

static inline size_t eve_ring_slot(const eve_ring *ring, uint64_t cursor) {
    size_t slot_words =
        ring->layout == EVE_RING_PACKED ? EVE_RING_RECORD_WORDS : EVE_RING_SEQUENCED_SLOT_WORDS;
    return EVE_RING_WORD_SLOTS + (size_t)(cursor & (ring->capacity - 1)) * slot_words;
}

static inline void eve_ring_wake(eve_ring *ring, size_t sleeps) {
    if (ring->barrier) atomic_signal_fence(memory_order_seq_cst);
    else atomic_thread_fence(memory_order_seq_cst);
    if (!eve_ring_load(ring, sleeps, memory_order_relaxed)) return;
    eve_ring_store(ring, sleeps, 0, memory_order_relaxed);
    syscall(SYS_futex, (uint32_t *)&ring->words[sleeps], FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static inline size_t eve_ring_other_sleeps(const eve_ring *ring) {
    return ring->side == EVE_RING_PRODUCER ? EVE_RING_WORD_CONSUMER_SLEEPS
                                           : EVE_RING_WORD_PRODUCER_SLEEPS;
}

static inline enum eve_ring_status eve_ring_poison(eve_ring *ring) {
    atomic_fetch_or_explicit(&ring->words[EVE_RING_WORD_STATE], EVE_RING_POISONED, memory_order_relaxed);
    eve_ring_wake(ring, eve_ring_other_sleeps(ring));
    return EVE_RING_IS_POISONED;
}

static inline enum eve_ring_status eve_ring_check(eve_ring *ring) {
    uint64_t state = eve_ring_load(ring, EVE_RING_WORD_STATE, memory_order_relaxed);
    if (state & EVE_RING_POISONED) return EVE_RING_IS_POISONED;
    if (state & EVE_RING_CLOSED_BY_CONSUMER) return EVE_RING_CLOSED;
    if (ring->side == EVE_RING_PRODUCER && state & EVE_RING_CLOSED_BY_PRODUCER) return EVE_RING_CLOSED;
    return EVE_RING_OK;
}

/* The producer's view of what is free. */
static inline enum eve_ring_status eve_ring_look_free(eve_ring *ring) {
    uint64_t released = eve_ring_load(ring, EVE_RING_WORD_RELEASED, memory_order_acquire);
    if (released > ring->mine || released > UINT64_MAX - ring->capacity
        || released + ring->capacity < ring->limit)
        return eve_ring_poison(ring);
    ring->limit = released + ring->capacity;
    return EVE_RING_OK;
}

/* The consumer's view of what is there. */
static inline enum eve_ring_status eve_ring_look_filled(eve_ring *ring) {
    uint64_t found, next = ring->mine + 1;
    if (ring->layout == EVE_RING_PACKED) {
        found = eve_ring_load(ring, EVE_RING_WORD_PUBLISHED, memory_order_acquire);
        if (found < ring->limit || found - ring->mine > ring->capacity) return eve_ring_poison(ring);
        ring->limit = found;
        return EVE_RING_OK;
    }
    found = eve_ring_load(ring, eve_ring_slot(ring, ring->mine), memory_order_acquire);
    if (found == next && next) ring->limit = next;
    else if (found != (next > ring->capacity ? next - ring->capacity : 0)) return eve_ring_poison(ring);
    return EVE_RING_OK;
}

static inline void eve_ring_detach(eve_ring *ring) {
    size_t owner = ring->side == EVE_RING_PRODUCER ? EVE_RING_WORD_PRODUCER : EVE_RING_WORD_CONSUMER;
    uint64_t mine = ring->identity;
    atomic_compare_exchange_strong_explicit(&ring->words[owner], &mine, 0, memory_order_release,
                                            memory_order_relaxed);
    munmap((void *)ring->words, ring->bytes);
    ring->words = NULL;
}

static inline enum eve_ring_status eve_ring_claim(eve_ring *ring) {
    size_t owner = ring->side == EVE_RING_PRODUCER ? EVE_RING_WORD_PRODUCER : EVE_RING_WORD_CONSUMER;
    uint64_t seen = eve_ring_load(ring, owner, memory_order_relaxed);
    do {
        if (seen && eve_ring_is_alive(seen)) return EVE_RING_OCCUPIED;
    } while (!atomic_compare_exchange_strong_explicit(&ring->words[owner], &seen, ring->identity,
                                                      memory_order_acquire, memory_order_relaxed));
    return EVE_RING_OK;
}

/* Where the predecessor of this side was. */
static inline enum eve_ring_status eve_ring_resume(eve_ring *ring) {
    enum eve_ring_status status = eve_ring_check(ring);
    if (status != EVE_RING_OK) return status;
    size_t cursor =
        ring->side == EVE_RING_PRODUCER ? EVE_RING_WORD_PUBLISHED : EVE_RING_WORD_RELEASED;
    ring->mine = ring->limit = eve_ring_load(ring, cursor, memory_order_relaxed);
    if (ring->side == EVE_RING_CONSUMER) return eve_ring_look_filled(ring);
    if (ring->layout == EVE_RING_SEQUENCED) {
        for (uint64_t lap = 0; lap < ring->capacity; lap++) {
            if (ring->mine == UINT64_MAX) return eve_ring_poison(ring);
            uint64_t holds = eve_ring_load(ring, eve_ring_slot(ring, ring->mine), memory_order_relaxed);
            if (holds != ring->mine + 1) break;
            ring->mine++;
        }
        ring->limit = ring->mine;
        eve_ring_store(ring, EVE_RING_WORD_PUBLISHED, ring->mine, memory_order_relaxed);
    }
    return eve_ring_look_free(ring);
}

/* Maps the ring that somebody made in this file and claims a side. */
static inline enum eve_ring_status eve_ring_open(eve_ring *ring, const char *path,
                                                 enum eve_ring_side side) {
    struct stat status;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return EVE_RING_SYSTEM;
    if (fstat(file, &status)) { close(file); return EVE_RING_SYSTEM; }
    if (status.st_size < EVE_RING_WORD_SLOTS * 8) { close(file); return EVE_RING_NOT_A_RING; }
    void *map = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED) return EVE_RING_SYSTEM;
    *ring = (eve_ring){.words = map, .bytes = (size_t)status.st_size, .side = side};
    uint64_t magic = eve_ring_load(ring, EVE_RING_WORD_MAGIC, memory_order_acquire);
    uint64_t format = eve_ring_load(ring, EVE_RING_WORD_FORMAT, memory_order_relaxed);
    uint64_t record = eve_ring_load(ring, EVE_RING_WORD_RECORD, memory_order_relaxed);
    ring->capacity = eve_ring_load(ring, EVE_RING_WORD_CAPACITY, memory_order_relaxed);
    ring->layout = (uint32_t)(format >> 32);
    uint64_t record_bytes = EVE_RING_RECORD_WORDS * 8;
    uint64_t slot_bytes =
        ring->layout == EVE_RING_PACKED ? record_bytes : EVE_RING_SEQUENCED_SLOT_WORDS * 8;
    enum eve_ring_status outcome = EVE_RING_NOT_A_RING;
    if (magic == EVE_RING_MAGIC && (uint32_t)format == EVE_RING_VERSION
        && (ring->layout == EVE_RING_PACKED || ring->layout == EVE_RING_SEQUENCED)
        && record == (slot_bytes << 32 | record_bytes) && ring->capacity >= EVE_RING_CAPACITY_MIN
        && ring->capacity <= EVE_RING_CAPACITY_MAX && !(ring->capacity & (ring->capacity - 1))
        && ring->bytes - EVE_RING_WORD_SLOTS * 8 >= ring->capacity * slot_bytes) {
        ring->identity = eve_ring_identity();
        ring->barrier =
            !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
        outcome = eve_ring_claim(ring);
        if (outcome == EVE_RING_OK) {
            outcome = eve_ring_resume(ring);
            if (outcome == EVE_RING_OK) return EVE_RING_OK;
            eve_ring_detach(ring);
            return outcome;
        }
    }
    munmap(map, ring->bytes);
    ring->words = NULL;
    return outcome;
}

/* ---- The work. ---- */

static inline enum eve_ring_status eve_ring_push(eve_ring *ring,
                                                 const uint64_t record[EVE_RING_RECORD_WORDS]) {
    enum eve_ring_status status = eve_ring_check(ring);
    if (status == EVE_RING_OK && ring->mine == ring->limit) status = eve_ring_look_free(ring);
    if (status != EVE_RING_OK) return status;
    if (ring->mine == ring->limit) return EVE_RING_WAIT;
    size_t slot = eve_ring_slot(ring, ring->mine), sequenced = ring->layout == EVE_RING_SEQUENCED;
    for (size_t i = 0; i < EVE_RING_RECORD_WORDS; i++)
        eve_ring_store(ring, slot + sequenced + i, record[i], memory_order_relaxed);
    ring->mine++;
    if (sequenced) eve_ring_store(ring, slot, ring->mine, memory_order_release);
    eve_ring_store(ring, EVE_RING_WORD_PUBLISHED, ring->mine, memory_order_release);
    eve_ring_wake(ring, EVE_RING_WORD_CONSUMER_SLEEPS);
    return EVE_RING_OK;
}

static inline enum eve_ring_status eve_ring_pop(eve_ring *ring,
                                                uint64_t record[EVE_RING_RECORD_WORDS]) {
    enum eve_ring_status status = eve_ring_check(ring);
    if (status == EVE_RING_OK && ring->mine == ring->limit) {
        uint64_t state = eve_ring_load(ring, EVE_RING_WORD_STATE, memory_order_acquire);
        status = eve_ring_look_filled(ring); /* after the state: a closed ring is full of its last */
        if (status == EVE_RING_OK && ring->mine == ring->limit)
            return state & EVE_RING_CLOSED_BY_PRODUCER ? EVE_RING_CLOSED : EVE_RING_WAIT;
    }
    if (status != EVE_RING_OK) return status;
    size_t slot = eve_ring_slot(ring, ring->mine) + (ring->layout == EVE_RING_SEQUENCED);
    for (size_t i = 0; i < EVE_RING_RECORD_WORDS; i++)
        record[i] = eve_ring_load(ring, slot + i, memory_order_relaxed);
    ring->mine++;
    eve_ring_store(ring, EVE_RING_WORD_RELEASED, ring->mine, memory_order_release);
    eve_ring_wake(ring, EVE_RING_WORD_PRODUCER_SLEEPS);
    return EVE_RING_OK;
}

/* Sleeps until the other side did something, at most so many milliseconds. Then try again. */
static inline void eve_ring_sleep(eve_ring *ring, long milliseconds) {
    int producing = ring->side == EVE_RING_PRODUCER;
    size_t sleeps = producing ? EVE_RING_WORD_PRODUCER_SLEEPS : EVE_RING_WORD_CONSUMER_SLEEPS;
    eve_ring_store(ring, sleeps, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    int sure = !syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
    if (!sure && milliseconds > 1) milliseconds = 1;
    struct timespec timeout = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    enum eve_ring_status status = producing ? eve_ring_look_free(ring) : eve_ring_look_filled(ring);
    uint64_t state = eve_ring_load(ring, EVE_RING_WORD_STATE, memory_order_relaxed);
    if (status == EVE_RING_OK && ring->mine == ring->limit && !state)
        syscall(SYS_futex, (uint32_t *)&ring->words[sleeps], FUTEX_WAIT, 1, &timeout, NULL, 0);
    eve_ring_store(ring, sleeps, 0, memory_order_relaxed);
}

/* Says that nothing more will come, or be taken. */
static inline void eve_ring_close(eve_ring *ring) {
    uint64_t bit = ring->side == EVE_RING_PRODUCER ? EVE_RING_CLOSED_BY_PRODUCER
                                                   : EVE_RING_CLOSED_BY_CONSUMER;
    atomic_fetch_or_explicit(&ring->words[EVE_RING_WORD_STATE], bit, memory_order_release);
    eve_ring_wake(ring, eve_ring_other_sleeps(ring));
}

#endif
