#include "usb_cdc.h"

#include "ring.h"
#include "usb_registers.h"

/* The host waits while the ring is full, so it need not hold a frame. */
enum {
    RING_BYTES = 256,
    TOUCH_RATE = 1200,
    PATIENCE_FRAMES = 500
};

static ring received;
static uint8_t memory[RING_BYTES];
static uint8_t line_coding[USB_LINE_CODING_BYTES];
static volatile bool is_configured, terminal_ready;
static volatile bool is_sending; /* a packet waits for the host to fetch it */
static volatile bool host_waits; /* no packet may come until the ring has room for one */

static volatile uint32_t frames_left;

static uint32_t lock(void) {
    uint32_t primask;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(primask)::"memory");
    return primask;
}

static void unlock(uint32_t primask) {
    __asm volatile("msr primask, %0" ::"r"(primask) : "memory");
}

void usb_cdc_start(void) {
    static const uint8_t default_coding[USB_LINE_CODING_BYTES] = {
        115200 & 0xff, 115200 >> 8 & 0xff, 115200 >> 16, 0, 0, 0, 8};
    ring_init(&received, memory, RING_BYTES);
    usb_cdc_set_line_coding(default_coding);
}

static void let_packet_come(void) {
    host_waits = ring_room(&received) < USB_PACKET_BYTES;
    if (!host_waits) {
        usb_pipe_receive(USB_DATA_OUT);
    }
}

void usb_cdc_open(void) {
    usb_pipe_open(USB_NOTIFY_IN, USB_TYPE_INTERRUPT);
    usb_pipe_open(USB_DATA_IN, USB_TYPE_BULK);
    usb_pipe_open(USB_DATA_OUT, USB_TYPE_BULK);
    is_configured = true;
    let_packet_come();
}

void usb_cdc_close(void) {
    is_configured = terminal_ready = is_sending = host_waits = false;
    usb_pipe_close(USB_NOTIFY_IN);
    usb_pipe_close(USB_DATA_IN);
    usb_pipe_close(USB_DATA_OUT);
}

void usb_cdc_halt(usb_pipe pipe) {
    if (pipe == USB_DATA_OUT) {
        host_waits = false;
    } else if (pipe == USB_DATA_IN) {
        is_sending = true;
    }
}

void usb_cdc_restart(usb_pipe pipe) {
    if (pipe == USB_DATA_OUT) {
        let_packet_come();
    } else if (pipe == USB_DATA_IN) {
        is_sending = false;
    }
}

void usb_cdc_sent(void) {
    is_sending = false;
}

void usb_cdc_frame(void) {
    if (frames_left > 0) {
        frames_left--;
    }
}

void usb_cdc_received(void) {
    uint32_t count;
    const volatile uint8_t *packet = usb_pipe_packet(USB_DATA_OUT, &count);

    for (uint32_t i = 0; i < count; ++i) {
        ring_put(&received, packet[i]);
    }
    let_packet_come();
}

const uint8_t *usb_cdc_line_coding(void) {
    return line_coding;
}

void usb_cdc_set_line_coding(const volatile uint8_t *bytes) {
    for (int i = 0; i < USB_LINE_CODING_BYTES; ++i) {
        line_coding[i] = bytes[i];
    }
}

bool usb_cdc_set_terminal_ready(bool is_ready) {
    const uint32_t rate = line_coding[0] | (uint32_t)line_coding[1] << 8 | (uint32_t)line_coding[2] << 16 |
                          (uint32_t)line_coding[3] << 24;
    const bool was_ready = terminal_ready;

    terminal_ready = is_ready;
    return was_ready && !is_ready && rate == TOUCH_RATE;
}

bool usb_is_empty(void) {
    return ring_is_empty(&received);
}

bool usb_take(uint8_t *byte) {
    if (!ring_take(&received, byte)) {
        return false;
    }
    if (host_waits && ring_room(&received) >= USB_PACKET_BYTES) {
        const uint32_t primask = lock();
        if (host_waits) { /* still: the bus may have been reset meanwhile */
            let_packet_come();
        }
        unlock(primask);
    }
    return true;
}

static bool is_open(void) {
    return is_configured && terminal_ready && usb_is_awake();
}

/* Waits, asleep, until the pipe is free; false if the packet in it will not be fetched. A bus with a host has a frame
 * each millisecond, and one without falls asleep: either wakes the core. */
static bool await_free_pipe(void) {
    if (!is_sending) {
        return true;
    }
    frames_left = PATIENCE_FRAMES;
    usb_watch_frames(true);
    while (is_sending && is_open() && frames_left > 0) {
        const uint32_t primask = lock();
        if (is_sending && is_open()) {
            __asm volatile("wfi" ::: "memory");
        }
        unlock(primask);
    }
    usb_watch_frames(false);
    return !is_sending;
}

static bool send_packet(const uint8_t *bytes, uint32_t count) {
    if (!await_free_pipe()) {
        return false;
    }
    const uint32_t primask = lock();
    const bool open = is_open(); /* what was true may have changed until interrupts were masked */
    if (open) {
        is_sending = true;
        usb_pipe_send(USB_DATA_IN, bytes, count);
    }
    unlock(primask);
    return open;
}

/* A packet below the full size, if need be an empty one, tells the host that it has everything. */
void usb_send(const uint8_t *bytes, size_t count) {
    uint32_t part;

    do {
        part = count < USB_PACKET_BYTES ? (uint32_t)count : USB_PACKET_BYTES;
        if (!send_packet(bytes, part)) {
            return;
        }
        bytes += part;
        count -= part;
    } while (part == USB_PACKET_BYTES);
}

void usb_flush(void) {
    (void)await_free_pipe();
}
