/* proc_ipc.c: a guest program: System V semaphores and message queues. Run natively and on the
 * machine.
 */
#include "proc_test.h"

#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int do_op(int set, int number, int operation, int flags) {
    struct sembuf one = {(unsigned short)number, (short)operation, (short)flags};
    return semop(set, &one, 1);
}

static void nothing(int signal) {
    (void)signal;
}

static int exit_code(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void values(void) {
    unsigned short all[3] = {1, 2, 3};
    struct semid_ds about;
    int set = semget(IPC_PRIVATE, 3, 0600);
    EXPECT(set >= 0 && semctl(set, 0, GETVAL) == 0 && semctl(set, 3, GETVAL) < 0 &&
           errno == EINVAL);
    EXPECT(semctl(set, 0, SETALL, all) == 0 && semctl(set, 2, GETVAL) == 3);
    EXPECT(semctl(set, 1, SETVAL, 9) == 0 && semctl(set, 0, GETALL, all) == 0 && all[1] == 9);
    EXPECT(semctl(set, 1, SETVAL, 32768) < 0 && errno == ERANGE);
    EXPECT(semctl(set, 1, GETPID) == getpid());
    EXPECT(semctl(set, 0, IPC_STAT, &about) == 0 && about.sem_nsems == 3 &&
           (about.sem_perm.mode & 0777) == 0600);
    EXPECT(do_op(set, 0, -1, 0) == 0 && do_op(set, 0, -1, IPC_NOWAIT) < 0 && errno == EAGAIN);
    EXPECT(do_op(set, 0, 0, 0) == 0 && do_op(set, 1, 0, IPC_NOWAIT) < 0 && errno == EAGAIN);
    EXPECT(do_op(set, 5, 1, 0) < 0 && errno == EFBIG);
    EXPECT(do_op(set, 2, 32767, 0) < 0 && errno == ERANGE);
    /* all or nothing */
    struct sembuf both[2] = {{1, -1, IPC_NOWAIT}, {0, -1, IPC_NOWAIT}};
    EXPECT(semop(set, both, 2) < 0 && errno == EAGAIN && semctl(set, 1, GETVAL) == 9);
    struct timespec moment = {0, 5000000};
    EXPECT(semtimedop(set, &(struct sembuf){0, -1, 0}, 1, &moment) < 0 && errno == EAGAIN);
    EXPECT(semop(set, both, 0) < 0 && errno == EINVAL);
    EXPECT(semctl(set, 0, IPC_RMID) == 0 && do_op(set, 0, 1, 0) < 0 && errno == EINVAL);
    EXPECT(semget(0x51700001, 1, 0600) < 0 && errno == ENOENT);
    set = semget(0x51700001, 2, IPC_CREAT | 0600);
    EXPECT(semget(0x51700001, 2, IPC_CREAT | IPC_EXCL | 0600) < 0 && errno == EEXIST);
    EXPECT(semget(0x51700001, 1, 0) == set && semget(0x51700001, 3, 0) < 0 && errno == EINVAL);
    semctl(set, 0, IPC_RMID);
}

static void waiters(void) {
    int set = semget(IPC_PRIVATE, 2, 0600);
    pid_t child = fork();
    if (child == 0)
        _exit(do_op(set, 0, -2, 0) == 0 ? 3 : 4);
    while (semctl(set, 0, GETNCNT) != 1)
        usleep(1000);
    do_op(set, 0, 1, 0);
    usleep(5000);
    EXPECT(semctl(set, 0, GETNCNT) == 1);
    do_op(set, 0, 1, 0);
    EXPECT(exit_code(child) == 3 && semctl(set, 0, GETVAL) == 0);
    do_op(set, 1, 1, 0);
    child = fork();
    if (child == 0)
        _exit(do_op(set, 1, 0, 0) == 0 ? 3 : 4);
    while (semctl(set, 1, GETZCNT) != 1)
        usleep(1000);
    do_op(set, 1, -1, 0);
    EXPECT(exit_code(child) == 3);
    /* undone at the end */
    child = fork();
    if (child == 0)
        _exit(do_op(set, 0, 5, SEM_UNDO) || do_op(set, 0, -1, SEM_UNDO) || do_op(set, 1, 2, 0));
    EXPECT(exit_code(child) == 0 && semctl(set, 0, GETVAL) == 0 && semctl(set, 1, GETVAL) == 2);
    /* interrupted, and removed */
    child = fork();
    if (child == 0) {
        signal(SIGUSR1, nothing);
        int first = do_op(set, 0, -1, 0) < 0 && errno == EINTR;
        int second = do_op(set, 0, -1, 0) < 0 && errno == EIDRM;
        _exit(first + 2 * second);
    }
    while (semctl(set, 0, GETNCNT) != 1)
        usleep(1000);
    kill(child, SIGUSR1);
    usleep(10000);
    while (semctl(set, 0, GETNCNT) != 1)
        usleep(1000);
    semctl(set, 0, IPC_RMID);
    EXPECT(exit_code(child) == 3);
}

struct message {
    long type;
    char text[64];
};

static void queues(void) {
    struct message message = {0};
    struct msqid_ds about;
    int queue = msgget(IPC_PRIVATE, 0600);
    for (long type = 3; type >= 1; type--) {
        message.type = type;
        snprintf(message.text, sizeof message.text, "type %ld", type);
        EXPECT(msgsnd(queue, &message, 7, 0) == 0);
    }
    EXPECT(msgctl(queue, IPC_STAT, &about) == 0 && about.msg_qnum == 3 &&
           about.msg_lspid == getpid() && about.msg_lrpid == 0);
    EXPECT(msgrcv(queue, &message, 64, 9, IPC_NOWAIT) < 0 && errno == ENOMSG);
    EXPECT(msgrcv(queue, &message, 2, 2, IPC_NOWAIT) < 0 && errno == E2BIG);
    EXPECT(msgrcv(queue, &message, 4, 2, MSG_NOERROR) == 4 && message.type == 2);
    EXPECT(msgrcv(queue, &message, 64, -3, 0) == 7 && message.type == 1);
    EXPECT(msgrcv(queue, &message, 64, 3, MSG_EXCEPT | IPC_NOWAIT) < 0 && errno == ENOMSG);
    EXPECT(msgrcv(queue, &message, 64, 0, 0) == 7 && !strcmp(message.text, "type 3"));
    message.type = 0;
    EXPECT(msgsnd(queue, &message, 1, 0) < 0 && errno == EINVAL);
    message.type = 1;
    EXPECT(msgsnd(queue, &message, 100000, 0) < 0 && errno == EINVAL);
    EXPECT(msgsnd(queue, (void *)8, 1, 0) < 0 && errno == EFAULT);
    while (msgsnd(queue, &message, 64, IPC_NOWAIT) == 0)
        ;
    EXPECT(errno == EAGAIN && msgctl(queue, IPC_STAT, &about) == 0 && about.msg_qnum == 256);
    pid_t child = fork();
    if (child == 0)
        _exit(msgsnd(queue, &message, 64, 0) == 0 ? 5 : 6); /* waits for room */
    usleep(5000);
    EXPECT(msgrcv(queue, &message, 64, 0, 0) == 64 && exit_code(child) == 5);
    while (msgrcv(queue, &message, 64, 0, IPC_NOWAIT) == 64)
        ;
    child = fork();
    if (child == 0)
        _exit(msgrcv(queue, &message, 64, 0, 0) < 0 && errno == EIDRM ? 5 : 6);
    usleep(20000);
    EXPECT(msgctl(queue, IPC_RMID, NULL) == 0 && exit_code(child) == 5);
    EXPECT(msgctl(queue, IPC_STAT, &about) < 0 && errno == EINVAL);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    values();
    waiters();
    queues();
    return report("proc_ipc");
}
