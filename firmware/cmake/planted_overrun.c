/* One element behind an array: address sanitizer has to stop this program. */
int main(int argc, char **argv) {
    volatile char array[4] = {0};
    volatile char beyond = array[argc + 3]; /* argc is 1 */
    (void)argv;
    return beyond & 0;
}
