/* A signed overflow: undefined-behaviour sanitizer has to stop this program. */
int main(int argc, char **argv) {
    volatile int large = 0x7fffffff;
    volatile int sum = large + argc; /* stored, so that it cannot be folded away */
    (void)argv;
    return sum & 0;
}
