/* SPDX-License-Identifier: MIT */
/*
 * memory: what two processors do to memory that they share. A processor's stores wait in a buffer until the other sees them; its
 * own loads see them at once. A fence waits until the buffer is empty.
 *
 * With TSO the buffer empties in order, as on x86. Otherwise only stores to one variable keep their order, and a load may have
 * been done at any time since the last fence, as on arm64 and worse.
 *
 * The model defines VARS, the number of its variables, and LOCK, the last of them; and LOADED(x), x() of all but that.
 */
#define CPUS 2
#define AT(p, v) ((p) * VARS + (v))

byte memory[VARS];
chan buffer[CPUS] = [6] of { byte, byte };
byte pending[CPUS * VARS]; /* stores in the buffer, by variable */
byte newest[CPUS * VARS];  /* the last of them */
byte early[CPUS * VARS];   /* what was loaded ahead of its turn */
bool is_early[CPUS * VARS];

inline store(p, v, x)
{
	atomic {
		buffer[p]!v, x;
		newest[AT(p, v)] = x;
		pending[AT(p, v)]++
	}
}

inline load(p, v, x)
{
	atomic {
		if
		:: pending[AT(p, v)] -> x = newest[AT(p, v)]
		:: !pending[AT(p, v)] -> x = memory[v]
		:: !pending[AT(p, v)] && is_early[AT(p, v)] -> x = early[AT(p, v)]
		fi;
		is_early[AT(p, v)] = false
	}
}

/* No later load is done before this. */
inline acquire(p)
{
	d_step {
#define FORGET(v) is_early[AT(p, v)] = false; early[AT(p, v)] = 0;
		LOADED(FORGET)
		skip
	}
}

inline fence(p)
{
	atomic {
		empty(buffer[p]);
		acquire(p)
	}
}

/* A locked instruction, which on x86 is a fence. */
inline lock(p)
{
	atomic {
#ifdef TSO
		empty(buffer[p]) && memory[LOCK] == 0;
#else
		!pending[AT(p, LOCK)] && memory[LOCK] == 0;
#endif
		memory[LOCK] = 1;
		acquire(p)
	}
}

/* A store that is seen after all before it. What comes later does not wait for it. */
inline unlock(p)
{
	store(p, LOCK, 0)
}

#define DONE_AT(v) \
	memory[v] = x; \
	pending[AT(p, v)]--; \
	newest[AT(p, v)] = (pending[AT(p, v)] -> newest[AT(p, v)] : 0); \
	x = 0; \
	y = 0

#define DRAIN(v) \
	:: atomic { buffer[p]??[v, x] && (v != LOCK || buffer[p]?[LOCK, x]) -> buffer[p]??v, x; DONE_AT(v) }

#define AHEAD(v) \
	:: d_step { !is_early[AT(p, v)] && !pending[AT(p, v)] -> early[AT(p, v)] = memory[v]; is_early[AT(p, v)] = true }

/* At any time one store of p becomes visible, or one load is done early. */
proctype hardware(byte p)
{
	byte x, y;
end:
	do
#ifdef TSO
	:: atomic { buffer[p]?y, x -> DONE_AT(y) }
#else
	LOADED(DRAIN)
	DRAIN(LOCK)
	LOADED(AHEAD)
#endif
	od
}
