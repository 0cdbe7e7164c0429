/* What a container on the real node runs: until it is told to stop, or as many seconds as its argument says. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void stop(int number) {
  (void)number;
  _exit(0);
}

int main(int count, char **words) {
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
  if (count > 1) {
    printf("works for %s s as uid %d\n", words[1], (int)getuid());
    fflush(stdout);
    sleep((unsigned)atoi(words[1]));
    return 0;
  }
  for (;;) pause();
}
