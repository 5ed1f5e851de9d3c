/* Asks for a reset as soon as it starts. */
#include "registers.h"

int main(void) {
    REGISTER(AIRCR) = 0x05fa0004;
    for (;;) {
    }
}
