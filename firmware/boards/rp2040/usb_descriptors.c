#include "usb_descriptors.h"

#include <stddef.h>

#include "usb_controller.h"

enum {
    TYPE_DEVICE = 1,
    TYPE_CONFIGURATION = 2,
    TYPE_STRING = 3,
    TYPE_INTERFACE = 4,
    TYPE_ENDPOINT = 5,
    TYPE_CDC = 0x24,
    STRING_MAKER = 1,
    STRING_PRODUCT = 2,
    STRING_SERIAL = 3,
    CONFIGURATION_BYTES = 67,
    NOTIFY_BYTES = 8,
    STRING_CHARACTERS = 30
};

#define HALF(value) (value) & 0xff, (value) >> 8
#define ENDPOINT_ADDRESS(pipe) (pipe) / 2 | ((pipe) % 2 ? 0 : 0x80)

static const uint8_t device_descriptor[] = {
    18,
    TYPE_DEVICE,
    HALF(0x0200), /* USB 2.0 */
    2,
    0,
    0, /* communications device */
    USB_PACKET_BYTES,
    HALF(0x1209),
    HALF(0x0001),
    HALF(0x0100),
    STRING_MAKER,
    STRING_PRODUCT,
    STRING_SERIAL,
    1, /* configuration */
};

static const uint8_t configuration_descriptor[] = {
    9,
    TYPE_CONFIGURATION,
    HALF(CONFIGURATION_BYTES),
    2,
    1,
    0,
    0x80,
    50, /* powered by the bus, 100 mA */
    9,
    TYPE_INTERFACE,
    0,
    0,
    1,
    2,
    2,
    0,
    0, /* communications, abstract control model */
    5,
    TYPE_CDC,
    0,
    HALF(0x0110), /* header: CDC 1.1 */
    5,
    TYPE_CDC,
    1,
    0,
    1, /* no call management */
    4,
    TYPE_CDC,
    2,
    2, /* line coding and control line state */
    5,
    TYPE_CDC,
    6,
    0,
    1, /* interface 0 controls interface 1 */
    7,
    TYPE_ENDPOINT,
    ENDPOINT_ADDRESS(USB_NOTIFY_IN),
    USB_TYPE_INTERRUPT,
    HALF(NOTIFY_BYTES),
    16,
    9,
    TYPE_INTERFACE,
    1,
    0,
    2,
    10,
    0,
    0,
    0, /* data */
    7,
    TYPE_ENDPOINT,
    ENDPOINT_ADDRESS(USB_DATA_OUT),
    USB_TYPE_BULK,
    HALF(USB_PACKET_BYTES),
    0,
    7,
    TYPE_ENDPOINT,
    ENDPOINT_ADDRESS(USB_DATA_IN),
    USB_TYPE_BULK,
    HALF(USB_PACKET_BYTES),
    0,
};

_Static_assert(sizeof device_descriptor == 18, "as its first byte says");
_Static_assert(sizeof configuration_descriptor == CONFIGURATION_BYTES, "as its third byte says");
_Static_assert(CONFIGURATION_BYTES % USB_PACKET_BYTES != 0 && 2 + 2 * STRING_CHARACTERS < USB_PACKET_BYTES,
               "every answer ends with a short packet by itself");

static char serial[2 * UNIQUE_ID_BYTES + 1];
static uint8_t string[2 + 2 * STRING_CHARACTERS];

void usb_descriptors_start(const uint8_t id[UNIQUE_ID_BYTES]) {
    static const char digits[] = "0123456789ABCDEF";

    for (int i = 0; i < UNIQUE_ID_BYTES; ++i) {
        serial[2 * i] = digits[id[i] >> 4];
        serial[2 * i + 1] = digits[id[i] & 15];
    }
    serial[2 * UNIQUE_ID_BYTES] = '\0';
}

/* ASCII as UTF-16. */
static const uint8_t *spell(const char *text, uint32_t *bytes) {
    uint32_t count = 0;

    while (text[count] != '\0' && count < STRING_CHARACTERS) {
        string[2 + 2 * count] = (uint8_t)text[count];
        string[3 + 2 * count] = 0;
        count++;
    }
    string[0] = (uint8_t)(2 + 2 * count);
    string[1] = TYPE_STRING;
    *bytes = string[0];
    return string;
}

static const uint8_t *string_descriptor(uint32_t index, uint32_t *bytes) {
    static const uint8_t languages[] = {4, TYPE_STRING, HALF(0x0409)};

    switch (index) {
    case 0:
        *bytes = sizeof languages;
        return languages;
    case STRING_MAKER:
        return spell("priot-hil", bytes);
    case STRING_PRODUCT:
        return spell("PRIOT on RP2040", bytes);
    case STRING_SERIAL:
        return spell(serial, bytes);
    default:
        return NULL;
    }
}

const uint8_t *usb_descriptor(uint32_t type, uint32_t index, uint32_t *bytes) {
    if (type == TYPE_DEVICE && index == 0) {
        *bytes = sizeof device_descriptor;
        return device_descriptor;
    }
    if (type == TYPE_CONFIGURATION && index == 0) {
        *bytes = sizeof configuration_descriptor;
        return configuration_descriptor;
    }
    return type == TYPE_STRING ? string_descriptor(index, bytes) : NULL;
}
