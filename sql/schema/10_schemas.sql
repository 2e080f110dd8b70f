-- Schema imgpress holds what users call and read. This one is for the machinery; only imgpress's own roles
-- may use it. Without IF NOT EXISTS, so that nobody can have prepared it.
CREATE SCHEMA imgpress_internal;
COMMENT ON SCHEMA imgpress_internal IS
    'Internals of imgpress: not for users, and subject to change in any version';
