-- imgpress holds what people call and read; the machinery lies here, where only imgpress's own roles
-- may enter. Without IF NOT EXISTS: nobody can have prepared it.
CREATE SCHEMA imgpress_internal;
COMMENT ON SCHEMA imgpress_internal IS
    'The machinery of imgpress: nothing in here is for people, and all of it may change';
