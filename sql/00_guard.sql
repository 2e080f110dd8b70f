-- imgpress: compresses product images inside PostgreSQL.
\echo Use "CREATE EXTENSION imgpress" to load this file. \quit
