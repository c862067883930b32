# test/servers/env.sh
#    the environment of programs that use a private tree; to be sourced
#
# After  . test/servers/env.sh; userstream_env STATE NAME  (from the top of
# the sources) the tree STATE/NAME/inst that test/servers/tree made is first in
# PATH, PostgreSQL's TAP modules are found, and these are set:
#    USERSTREAM_SRC         top of the sources
#    USERSTREAM_STATE       the state folder
#    USERSTREAM_WORK        STATE/NAME, for whatever the program makes
#    USERSTREAM_KAFKA_LIBS  the jars of Kafka
#    USERSTREAM_CASSANDRA_LIBS  the jars of Cassandra
#    PG_CONFIG              the system's, which knows where headers are
#    LANG                   C.UTF-8
#    PGCTLTIMEOUT, PG_TEST_TIMEOUT_DEFAULT  for a busy machine: what comes is not waited for longer
# PATH also has the programs of STATE/bin: users, topic, produce, rights.

userstream_env() {
	USERSTREAM_STATE=$1
	USERSTREAM_WORK=$1/$2
	USERSTREAM_SRC=$(pwd -P)
	USERSTREAM_KAFKA_LIBS=$1/kafka/libs
	USERSTREAM_CASSANDRA_LIBS=$1/cassandra/libs
	# the system's, also when called again with a private tree in PATH
	PG_CONFIG=$(command -v "${PG_CONFIG:-pg_config}")
	_us_pgxs=$("$PG_CONFIG" --pgxs)
	_us_pgxs=${_us_pgxs%/makefiles/pgxs.mk}
	PATH=$USERSTREAM_WORK/inst$("$PG_CONFIG" --bindir):$1/bin:$PATH
	PERL5LIB=$USERSTREAM_SRC/test/t:$_us_pgxs/test/perl
	PG_REGRESS=$_us_pgxs/test/regress/pg_regress
	# PostgreSQL 15 reads the first, later ones the other two
	TESTDIR=$USERSTREAM_WORK
	TESTDATADIR=$USERSTREAM_WORK/tmp_check
	TESTLOGDIR=$USERSTREAM_WORK/tmp_check/log
	unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE PGPASSWORD
	# what initdb makes must not depend on whoever calls: a bare system has no locale
	unset LC_ALL LC_CTYPE LC_COLLATE LC_MESSAGES LC_NUMERIC LC_MONETARY LC_TIME LANGUAGE
	LANG=C.UTF-8
	PGCTLTIMEOUT=600
	PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT:-300}
	export USERSTREAM_STATE USERSTREAM_WORK USERSTREAM_SRC USERSTREAM_KAFKA_LIBS \
		USERSTREAM_CASSANDRA_LIBS PG_CONFIG PATH PERL5LIB PG_REGRESS TESTDIR TESTDATADIR TESTLOGDIR LANG PGCTLTIMEOUT \
		PG_TEST_TIMEOUT_DEFAULT
}
