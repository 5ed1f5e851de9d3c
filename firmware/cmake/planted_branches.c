/* A program whose counts are known, in lcov's words: DA:line,times and BRDA:line,block,branch,times. */
static int steps(int count) {
    int sum = 0;                      /* DA:3,2 */
    for (int i = 0; i < count; ++i) { /* DA:4,7 BRDA:4,0,0,5 BRDA:4,0,1,2 */
        sum += i > 2 ? 10 : 1;        /* DA:5,5 BRDA:5,0,0,1 BRDA:5,0,1,4 */
    }
    if (count > 3 && sum < 0) { /* DA:7,2 BRDA:7,0,0,1 BRDA:7,0,1,1 BRDA:7,1,2,0 BRDA:7,1,3,1 */
        sum = 0;                /* DA:8,0 */
    }
    return sum; /* DA:10,2 */
}

int main(void) {
    return steps(4) + steps(1) == 14 ? 0 : 1; /* DA:14,1 BRDA:14,0,0,1 BRDA:14,0,1,0 */
}
