/* SPDX-License-Identifier: MIT */
/*
 * kmod/notify.c and kmod/wait.c: a waiter enlists and looks under the lock. A word is changed on this machine, by who then says
 * WAKE and looks for waiters under the lock; or, with INTERRUPT, on another one, that then rings: the interrupt looks whether
 * there are waiters, and takes the lock only if so.
 *
 * Wrong on purpose: NO_FENCE (none between enlisting and looking), LOOK_FIRST (before enlisting).
 */
#define WORD 0
#define LIST 1 /* somebody is on it */
#define LOCK 2
#define VARS 3
#define LOADED(x) x(WORD) x(LIST)
#include "memory.pml"

#define TURNS 2
#define WAITER 0
#define WAKER 1

byte expected; /* by who is on the list; under the lock */
bool woken;    /* the scheduler's business, which is not ours */
bool rung;

proctype waiter()
{
	byte seen, now;

	do
	:: seen == TURNS -> break
	:: else ->
#ifdef LOOK_FIRST
		load(WAITER, WORD, now);
#endif
		lock(WAITER);
		expected = seen;
		store(WAITER, LIST, 1);
#ifndef NO_FENCE
		fence(WAITER);
#endif
#ifndef LOOK_FIRST
		load(WAITER, WORD, now);
#endif
		if
		:: now != seen ->
			store(WAITER, LIST, 0);
			unlock(WAITER)
		:: else ->
			unlock(WAITER);
			atomic { woken -> woken = false };
			acquire(WAITER);
			load(WAITER, WORD, now)
		fi;
		seen = now
	od
}

/* Under the lock. */
inline look_at_list()
{
	load(WAKER, LIST, listed);
	load(WAKER, WORD, value);
	if
	:: listed && value != expected ->
		store(WAKER, LIST, 0);
		woken = true
	:: else
	fi
}

proctype waker()
{
	byte turn, listed, value;

	for (turn : 1 .. TURNS) {
		store(WAKER, WORD, turn);
		fence(WAKER);
		lock(WAKER);
		look_at_list();
		unlock(WAKER)
	}
}

/* The other machine has stores in no buffer of ours: they are there before its interrupt is. Two may come as one. */
proctype peer()
{
	byte turn;

	for (turn : 1 .. TURNS) {
		memory[WORD] = turn;
		rung = true
	}
}

proctype interrupted()
{
	byte listed, value;
end:
	do
	:: atomic { rung -> rung = false };
		fence(WAKER);
		load(WAKER, LIST, listed);
		if
		:: listed ->
			lock(WAKER);
			look_at_list();
			unlock(WAKER)
		:: else
		fi
	od
}

init
{
	atomic {
		run hardware(WAITER);
		run hardware(WAKER);
		run waiter();
#ifdef INTERRUPT
		run peer();
		run interrupted()
#else
		run waker()
#endif
	}
}
