/*-------------------------------------------------------------------------
 * worker/statement.c
 *    our own statements on userstream.*: prepared once, run as the owner
 *
 * Runs in workers and supervisors.  No user code runs between going up and
 * coming back: our tables have no trigger, no rule and no function of users.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/catalog.h"
#include "worker/statement.h"

uint64
us_statement_run(UsStatement *statement, Datum *values, const char *nulls)
{
	UsElevation saved = us_elevate();
	uint64		processed;
	int			result;

	SPI_connect();

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(statement->text, statement->nargs, statement->types);

		if (plan == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", statement->text,
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}

	result = SPI_execute_plan(statement->plan, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", statement->text, SPI_result_code_string(result));
	processed = SPI_processed;

	SPI_finish();
	us_restore(saved);

	return processed;
}
