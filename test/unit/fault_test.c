/*-------------------------------------------------------------------------
 * test/unit/fault_test.c
 *    whose fault an error is, for each class that a server can raise
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "test/unit/tap.h"
#include "worker/fault.h"

#define MESSAGE		US_FAULT_MESSAGE
#define SUSPECT		US_FAULT_SUSPECT
#define TRANSIENT	US_FAULT_TRANSIENT
#define STOP		US_FAULT_STOP

static const struct
{
	const char *sqlstate;
	UsFault		message;		/* raised by one single message */
	UsFault		batch;			/* raised anywhere else */
}			cases[] =
{
	/* passes by itself */
	{"08000", TRANSIENT, TRANSIENT},
	{"08006", TRANSIENT, TRANSIENT},
	{"40001", TRANSIENT, TRANSIENT},	/* serialization_failure */
	{"40P01", TRANSIENT, TRANSIENT},	/* deadlock_detected */
	{"53100", TRANSIENT, TRANSIENT},	/* disk_full */
	{"53200", TRANSIENT, TRANSIENT},	/* out_of_memory */
	{"53300", TRANSIENT, TRANSIENT},	/* too_many_connections */
	{"55P03", TRANSIENT, TRANSIENT},	/* lock_not_available */
	{"57014", TRANSIENT, TRANSIENT},	/* query_canceled */
	{"57P01", TRANSIENT, TRANSIENT},	/* admin_shutdown */
	{"57P03", TRANSIENT, TRANSIENT},	/* cannot_connect_now */
	{"58030", TRANSIENT, TRANSIENT},	/* io_error */
	{"58P01", TRANSIENT, TRANSIENT},	/* undefined_file */

	/* the values at hand */
	{"21000", MESSAGE, STOP},	/* cardinality_violation */
	{"22001", MESSAGE, STOP},	/* string_data_right_truncation */
	{"22003", MESSAGE, STOP},	/* numeric_value_out_of_range */
	{"22021", MESSAGE, STOP},	/* character_not_in_repertoire */
	{"22P02", MESSAGE, STOP},	/* invalid_text_representation */
	{"22P05", MESSAGE, STOP},	/* untranslatable_character */
	{"23502", MESSAGE, STOP},	/* not_null_violation */
	{"23503", MESSAGE, STOP},	/* foreign_key_violation */
	{"23505", MESSAGE, STOP},	/* unique_violation */
	{"23514", MESSAGE, STOP},	/* check_violation, no partition for the row */
	{"23P01", MESSAGE, STOP},	/* exclusion_violation */
	{"44000", MESSAGE, STOP},	/* with_check_option_violation */
	{"54000", MESSAGE, STOP},	/* program_limit_exceeded: an index row too large */
	{"54001", MESSAGE, STOP},	/* statement_too_complex */
	{"P0001", MESSAGE, STOP},	/* raise_exception */
	{"P0002", MESSAGE, STOP},	/* no_data_found */
	{"P0004", MESSAGE, STOP},	/* assert_failure */

	/* the definition */
	{"25006", STOP, STOP},		/* read_only_sql_transaction */
	{"25P02", STOP, STOP},		/* in_failed_sql_transaction */
	{"42501", STOP, STOP},		/* insufficient_privilege */

	/* either: the definition, if many messages in a row have it */
	{"03000", SUSPECT, STOP},
	{"09000", SUSPECT, STOP},	/* triggered_action_exception */
	{"0A000", SUSPECT, STOP},	/* feature_not_supported */
	{"20000", SUSPECT, STOP},	/* case_not_found */
	{"24000", SUSPECT, STOP},
	{"26000", SUSPECT, STOP},
	{"27000", SUSPECT, STOP},	/* triggered_data_change_violation */
	{"28000", SUSPECT, STOP},
	{"2BP01", SUSPECT, STOP},
	{"2D000", SUSPECT, STOP},
	{"2F005", SUSPECT, STOP},	/* function_executed_no_return_statement */
	{"34000", SUSPECT, STOP},
	{"38000", SUSPECT, STOP},	/* external_routine_exception */
	{"39000", SUSPECT, STOP},
	{"3B001", SUSPECT, STOP},
	{"3D000", SUSPECT, STOP},
	{"3F000", SUSPECT, STOP},
	{"42601", SUSPECT, STOP},	/* syntax_error: dynamic SQL of a trigger */
	{"42703", SUSPECT, STOP},	/* undefined_column */
	{"42704", SUSPECT, STOP},	/* undefined_object */
	{"42804", SUSPECT, STOP},	/* datatype_mismatch */
	{"42883", SUSPECT, STOP},	/* undefined_function */
	{"42P01", SUSPECT, STOP},	/* undefined_table */
	{"55000", SUSPECT, STOP},	/* object_not_in_prerequisite_state */
	{"55006", SUSPECT, STOP},	/* object_in_use */
	{"72000", SUSPECT, STOP},
	{"F0000", SUSPECT, STOP},
	{"HV000", SUSPECT, STOP},	/* fdw_error */
	{"XX000", SUSPECT, STOP},	/* internal_error */
	{"XX001", SUSPECT, STOP},	/* data_corrupted */
};

static void
test_classes(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const char *state = cases[i].sqlstate;

		tap_is(us_fault_classify(state, US_PLACE_MESSAGE, false), cases[i].message,
			   "%s of one message", state);
		tap_is(us_fault_classify(state, US_PLACE_BATCH, false), cases[i].batch,
			   "%s of the batch", state);
	}
}

/* only 42501 can come from a policy; the flag changes nothing else */
static void
test_row_security(void)
{
	int			changed = 0;

	tap_is(us_fault_classify("42501", US_PLACE_MESSAGE, true), SUSPECT,
		   "a row that a policy refuses is its message's fault, many in a row are not");
	tap_is(us_fault_classify("42501", US_PLACE_BATCH, true), STOP,
		   "a policy outside of a message stops");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		if (strcmp(cases[i].sqlstate, "42501") != 0 &&
			us_fault_classify(cases[i].sqlstate, US_PLACE_MESSAGE, true) != cases[i].message)
			changed++;
	}
	tap_is(changed, 0, "row security says nothing about other errors");
}

/* a hundred in a row, in one batch or in many; anything else in a batch ends the run */
static void
test_runs(void)
{
	int64_t		run = 0;
	int			batches = 0;

	tap_ok(us_fault_is_definition(100, 100, 0), "a batch of a hundred suspects");
	tap_ok(!us_fault_is_definition(99, 99, 0), "a batch of fewer");
	tap_ok(!us_fault_is_definition(100, 101, 0), "one message of the batch went in");
	tap_ok(!us_fault_is_definition(1, 2, 1000), "... and before it none");
	tap_ok(!us_fault_is_definition(0, 0, 1000), "a batch without messages");
	while (!us_fault_is_definition(1, 1, run))
	{
		run = us_fault_run(1, 1, run);
		batches++;
	}
	tap_is(batches, 99, "single messages: the hundredth in a row");
	tap_is(us_fault_run(0, 0, run), run, "a batch without messages does not end a run");
	tap_is(us_fault_run(1, 2, run), 0, "one that went in does");
	tap_is(us_fault_run(0, 5, run), 0, "so do errors that lie in data");
}

int
main(void)
{
	test_classes();
	test_row_security();
	test_runs();
	return tap_done();
}
