/* SPDX-License-Identifier: MIT */
/*
 * user/life.c: ivp_lane_sleep() and ivp_lane_kick(). The sleeper says by `want`, which is the number of this sleep, that it is to be
 * kicked, and looks again before it sleeps on the word; the other publishes, looks at `want`, and only then counts the word up and
 * wakes, once for each sleep.
 *
 * Here nobody's patience ends: a lost kick is a sleep for ever.
 *
 * Wrong on purpose: NO_KICK_FENCE, NO_SLEEP_FENCE, READY_FIRST (looks for data before it says that it sleeps), SEEN_LATE (looks
 * at the word after looking for data), SAME_NUMBER (each sleep has the number 1).
 */
#define DATA 0 /* how much was published */
#define WANT 1
#define WORD 2
#define LOCK 3 /* the kernel's, of the word's queue */
#define VARS 4
#define LOADED(x) x(DATA) x(WANT) x(WORD)
#include "memory.pml"

#define TURNS 2
#define SLEEPER 0
#define KICKER 1

bool queued; /* under the lock */
bool woken;  /* the scheduler's business, which is not ours */

/* FUTEX_WAIT, or IVSHMEM_IOC_WAIT. */
inline word_sleep()
{
	lock(SLEEPER);
	load(SLEEPER, WORD, word);
	if
	:: word != seen ->
		unlock(SLEEPER)
	:: else ->
		queued = true;
		unlock(SLEEPER);
		atomic { woken -> woken = false }
	fi
}

inline word_wake()
{
	fence(KICKER);
	lock(KICKER);
	if
	:: queued ->
		queued = false;
		woken = true
	:: else
	fi;
	unlock(KICKER)
}

inline look_at_word()
{
	load(SLEEPER, WORD, seen);
	acquire(SLEEPER)
}

inline look_for_data()
{
	load(SLEEPER, DATA, there);
	acquire(SLEEPER)
}

proctype sleeper()
{
	byte taken, there, seen, word, sleeps;

	do
	:: taken == TURNS -> break
	:: else ->
#ifndef SEEN_LATE
		look_at_word();
#endif
#ifdef READY_FIRST
		look_for_data();
#endif
#ifdef SAME_NUMBER
		sleeps = 1;
#else
		sleeps++;
#endif
		store(SLEEPER, WANT, sleeps);
#ifndef NO_SLEEP_FENCE
		fence(SLEEPER);
#endif
#ifndef READY_FIRST
		look_for_data();
#endif
#ifdef SEEN_LATE
		look_at_word();
#endif
		if
		:: there == taken -> word_sleep()
		:: else
		fi;
		store(SLEEPER, WANT, 0);
		look_for_data();
		taken = there
	od
}

proctype kicker()
{
	byte turn, want, word, kicked;

	for (turn : 1 .. TURNS) {
		store(KICKER, DATA, turn);
#ifndef NO_KICK_FENCE
		fence(KICKER);
#endif
		load(KICKER, WANT, want);
		if
		:: want && want != kicked ->
			kicked = want;
			load(KICKER, WORD, word);
			store(KICKER, WORD, word + 1);
			word_wake()
		:: else
		fi
	}
}

init
{
	atomic {
		run hardware(SLEEPER);
		run hardware(KICKER);
		run sleeper();
		run kicker()
	}
}
