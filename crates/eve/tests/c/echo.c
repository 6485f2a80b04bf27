/* Takes records from one ring, adds 1 to each word, and sends them back through another. */
#include "eve_ring.h"

static int fail(const char *what, int status) {
    fprintf(stderr, "%s: status %d, errno %d\n", what, status, errno);
    return 1;
}

int main(int count, char **arguments) {
    eve_ring there, back;
    uint64_t record[5];
    int status;
    if (count != 3) return fail("usage: echo THERE BACK", count);
    if ((status = eve_ring_open(&there, arguments[1], EVE_RING_CONSUMER))) return fail("there", status);
    if ((status = eve_ring_open(&back, arguments[2], EVE_RING_PRODUCER))) return fail("back", status);
    if (eve_ring_open(&(eve_ring){0}, arguments[1], EVE_RING_CONSUMER) != EVE_RING_OCCUPIED)
        return fail("a side that is taken was given away", 0);
    for (;;) {
        while ((status = eve_ring_pop(&there, record)) == EVE_RING_WAIT) eve_ring_sleep(&there, 1000);
        if (status == EVE_RING_CLOSED) break;
        if (status) return fail("pop", status);
        for (int i = 0; i < 5; i++) record[i]++;
        while ((status = eve_ring_push(&back, record)) == EVE_RING_WAIT) eve_ring_sleep(&back, 1000);
        if (status) return fail("push", status);
    }
    eve_ring_close(&back);
    eve_ring_detach(&there);
    eve_ring_detach(&back);
    return 0;
}
