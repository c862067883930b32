/*-------------------------------------------------------------------------
 * test/cppcheck.h
 *    what cppcheck has to know of PostgreSQL's headers, which it does not read
 *
 * With them it would take hours.  Included before each file by test/analyze.
 *-------------------------------------------------------------------------
 */
#define PG_VERSION_NUM		150000
#define LIBCURL_VERSION_NUM 0x080000
#define US_VERSION			""
#define US_STYLE			""
#define US_SCRIPT			""
#define US_PLOTS			""

#define DEBUG1				14
#define LOG					15
#define NOTICE				18
#define WARNING				19
#define ERROR				21
#define FATAL				22
#define PANIC				23

/* what an ERROR ends does not go on */
#define ereport(level, ...) do { if ((level) >= ERROR) abort(); } while (0)
#define elog(level, ...)	do { if ((level) >= ERROR) abort(); } while (0)
#define Assert(condition)	do { if (!(condition)) abort(); } while (0)
#define pg_noreturn			_Noreturn

#define PG_FUNCTION_INFO_V1(name)
#define PG_MODULE_MAGIC
#define PG_TRY()			{
#define PG_CATCH()			} {
#define PG_FINALLY()		} {
#define PG_END_TRY()		}
#define PG_USED_FOR_ASSERTS_ONLY
#define pg_attribute_unused()
#define XL_ROUTINE(...)		NULL
#define foreach(cell, list) for (cell = first(list); cell != NULL; cell = next(cell))
