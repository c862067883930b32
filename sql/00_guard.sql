-- userstream: run from CREATE EXTENSION only
\echo Use "CREATE EXTENSION userstream" to load this file. \quit
