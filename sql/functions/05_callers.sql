-- Who calls imgpress, and whose requests they see.

CREATE OR REPLACE FUNCTION imgpress_internal.caller() RETURNS name
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'imgpress_caller';
COMMENT ON FUNCTION imgpress_internal.caller() IS
    'The role on whose behalf the statement runs: the user of the session or of SET ROLE, whatever SECURITY DEFINER '
    'functions it goes through; or the role that act_as() has named';

ALTER TABLE imgpress.processing_requests ALTER COLUMN submitted_by SET DEFAULT imgpress_internal.caller();

CREATE OR REPLACE FUNCTION imgpress_internal.may_see(submitted_by name) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'imgpress_may_see';
COMMENT ON FUNCTION imgpress_internal.may_see(name) IS
    'Whether the caller sees what this role has submitted: it has the privileges of that role or of imgpress_admin. '
    'What "public" has submitted, everybody sees; what a role that does not exist any more has, only imgpress_admin';

CREATE OR REPLACE FUNCTION imgpress_internal.act_as(role name) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'imgpress_act_as';
COMMENT ON FUNCTION imgpress_internal.act_as(name) IS
    'Makes another role the caller, until the PL/pgSQL function that calls this one returns or fails. That function '
    'must be SECURITY DEFINER, pin its search_path, and have found out that it may act for this role';
