/* proc_shm.c: a guest program: System V shared memory, as a table of answers. Run natively and on
 * the machine it must print the same. Unrelated processes see one memory: the child of a child,
 * which knows the segment by its number only.
 */
#include "proc_test.h"

#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul

static int key; /* of this run: other programs' segments must not be met */

static void show(const char *what, long result) {
    if (result == -1)
        printf("%-56s %s\n", what, strerrorname_np(errno));
    else
        printf("%-56s good\n", what);
}
#define SHOW(call) show(#call, (long)(call))

static struct shmid_ds stat_of(int id) {
    struct shmid_ds ds = {0};
    EXPECT(shmctl(id, IPC_STAT, &ds) == 0);
    return ds;
}

static void names(void) {
    int id;
    SHOW(shmget(key, 100, 0600));
    SHOW(id = shmget(key, 10000, IPC_CREAT | 0600));
    SHOW(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(shmget(key, 10001, IPC_CREAT | 0600));
    SHOW(shmget(key, 0, 0));
    SHOW(shmget(key + 1, 0, IPC_CREAT | 0600));
    SHOW(shmget(IPC_PRIVATE, SIZE_MAX, 0600));
    EXPECT(shmget(key, 5000, 0600) == id);
    struct shmid_ds ds = stat_of(id);
    printf("size %zu, mode %o, attached %lu, by me %d, key %d\n", ds.shm_segsz, ds.shm_perm.mode,
           (unsigned long)ds.shm_nattch, ds.shm_cpid == getpid(), ds.shm_perm.__key == key);
    EXPECT(ds.shm_ctime != 0 && ds.shm_atime == 0 && ds.shm_dtime == 0 && ds.shm_lpid == 0);
    ds.shm_perm.mode = 0640;
    SHOW(shmctl(id, IPC_SET, &ds));
    printf("mode %o\n", stat_of(id).shm_perm.mode);
    SHOW(shmctl(id, 4711, &ds));
    SHOW(shmctl(-1, IPC_STAT, &ds));
    SHOW(shmctl(id + 1000000, IPC_STAT, &ds));
    SHOW(shmctl(id, IPC_STAT, (void *)16));
    SHOW(shmctl(id, IPC_RMID, NULL));
    SHOW(shmctl(id, IPC_RMID, NULL));
    SHOW(shmget(key, 0, 0));
}

static void places(void) {
    int id = shmget(IPC_PRIVATE, 3 * PAGE + 1, 0600);
    char *area = mmap(NULL, 32 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(area, 32 * PAGE);
    SHOW(shmat(id, area + 1, 0));
    SHOW(shmat(id, area + 5, SHM_RND));
    SHOW(shmat(id, area + 2 * PAGE, 0)); /* there is one */
    SHOW(shmat(id, area + 2 * PAGE, SHM_REMAP));
    SHOW(shmat(id, NULL, SHM_REMAP));
    SHOW(shmat(id + 1000000, NULL, 0));
    char *read_only = shmat(id, area + 10 * PAGE, SHM_RDONLY);
    EXPECT(read_only == area + 10 * PAGE);
    SHOW(mprotect(read_only, PAGE, PROT_READ | PROT_WRITE));
    area[2 * PAGE] = 'x';
    printf("two places, one page: %c %c\n", *area, *read_only);
    SHOW(shmdt(area + 1));
    SHOW(shmdt(area + 20 * PAGE));
    SHOW(shmdt(area + 3 * PAGE)); /* not where one begins */
    SHOW(munmap(read_only + PAGE, PAGE));
    printf("attached %lu\n", (unsigned long)stat_of(id).shm_nattch);
    SHOW(shmdt(read_only)); /* both parts */
    SHOW(mprotect(read_only, PAGE, PROT_READ));
    SHOW(mprotect(read_only + 2 * PAGE, PAGE, PROT_READ));
    SHOW(shmdt(area + 2 * PAGE));
    SHOW(shmdt(area));
    printf("attached %lu\n", (unsigned long)stat_of(id).shm_nattch);
    SHOW(shmctl(id, IPC_RMID, NULL));
}

/* Run in a process of its own. */
static int in_child(void (*what)(int), int id) {
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        what(id);
        fflush(stdout);
        _exit(failures != 0);
    }
    EXPECT(waitpid(pid, &status, 0) == pid);
    return status;
}

static void stranger(int id) { /* attaches for itself */
    int *numbers = shmat(id, NULL, 0);
    EXPECT(numbers != (void *)-1);
    printf("the stranger finds %d\n", numbers[0]);
    numbers[1] = 815;
    numbers[2000] = 7;
    printf("the stranger: attached %lu, last one is me: %d\n",
           (unsigned long)stat_of(id).shm_nattch, stat_of(id).shm_lpid == getpid());
}

static void heir(int id) { /* has it from its parent, after the key is gone */
    struct shmid_ds ds = stat_of(id);
    printf("the heir: attached %lu, to be removed %d\n", (unsigned long)ds.shm_nattch,
           (ds.shm_perm.mode & SHM_DEST) != 0);
}

static void processes(void) {
    int id = shmget(key, 3 * PAGE, IPC_CREAT | 0600);
    EXPECT(in_child(stranger, id) == 0);
    int *numbers = shmat(id, NULL, 0);
    numbers[0] = 4711;
    EXPECT(in_child(stranger, id) == 0);
    printf("from the stranger: %d %d\n", numbers[1], numbers[2000]);
    printf("attached %lu\n", (unsigned long)stat_of(id).shm_nattch);
    SHOW(shmctl(id, IPC_RMID, NULL));
    SHOW(shmget(key, 0, 0));
    EXPECT(in_child(heir, id) == 0);
    SHOW(shmdt(numbers));
    SHOW(shmctl(id, IPC_STAT, &(struct shmid_ds){0})); /* with the last one it went */
}

/* The line of /proc/sysvipc/shm, and the sums. */
static void views(void) {
    int id = shmget(key, 5 * PAGE, IPC_CREAT | 0640), found = 0, shown_key, shown_id;
    char *at = shmat(id, NULL, 0), line[512];
    memset(at, 1, 2 * PAGE);
    FILE *file = fopen("/proc/sysvipc/shm", "r");
    EXPECT(file && fgets(line, sizeof line, file));
    fputs(line, stdout);
    while (fgets(line, sizeof line, file)) {
        unsigned perms;
        unsigned long bytes, nattch, rss, swap;
        int cpid, lpid;
        if (sscanf(line, "%d %d %o %lu %d %d %lu %*u %*u %*u %*u %*u %*u %*u %lu %lu", &shown_key,
                   &shown_id, &perms, &bytes, &cpid, &lpid, &nattch, &rss, &swap) != 9 ||
            shown_id != id)
            continue;
        found++;
        printf("perms %o bytes %lu nattch %lu rss %lu swap %lu\n", perms, bytes, nattch, rss, swap);
        EXPECT(shown_key == key && cpid == getpid() && lpid == getpid());
    }
    fclose(file);
    EXPECT(found == 1);
    struct shm_info info;
    EXPECT(shmctl(0, SHM_INFO, (struct shmid_ds *)&info) >= 0 && info.used_ids >= 1);
    struct shminfo limits;
    EXPECT(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits) >= 0);
    printf("limits: %lu to %lx bytes, %lu segments\n", limits.shmmin, limits.shmmax, limits.shmmni);
    file = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, file)) {
        char *name = strstr(line, "/SYSV");
        if (name && strtoul(line, NULL, 16) == (unsigned long)at) {
            char expected[64];
            snprintf(expected, sizeof expected, "/SYSV%08x (deleted)\n", (unsigned)key);
            printf("maps: %d %.4s\n", strcmp(name, expected) == 0, strchr(line, ' ') + 1);
        }
    }
    fclose(file);
    SHOW(shmdt(at));
    SHOW(shmctl(id, IPC_RMID, NULL));
}

/* A locked segment says so; a number that is none's is refused. */
static void locks(void) {
    int id = shmget(key, 5 * PAGE, IPC_CREAT | 0600);
    char *at = shmat(id, NULL, 0);
    memset(at, 1, 2 * PAGE);
    SHOW(shmctl(id, SHM_LOCK, NULL));
    printf("mode %o\n", stat_of(id).shm_perm.mode);
    SHOW(shmctl(id, SHM_LOCK, NULL));
    SHOW(shmctl(id, SHM_UNLOCK, NULL));
    SHOW(shmctl(id, SHM_UNLOCK, NULL));
    printf("mode %o\n", stat_of(id).shm_perm.mode);
    SHOW(shmctl(id, SHM_LOCK, NULL));
    SHOW(shmdt(at));
    SHOW(shmctl(id, IPC_RMID, NULL));
    SHOW(shmctl(id, SHM_LOCK, NULL));
    SHOW(shmctl(id, SHM_UNLOCK, NULL));
    SHOW(shmctl(-1, SHM_LOCK, NULL));
}

int main(void) {
    key = 0x51000000 + getpid();
    names();
    places();
    processes();
    views();
    locks();
    return report("shm");
}
