SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE TYPE public.river_job_state AS ENUM (
    'available',
    'cancelled',
    'completed',
    'discarded',
    'pending',
    'retryable',
    'running',
    'scheduled'
);
CREATE FUNCTION public.audit_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only added to'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_append_only';
END $$;
CREATE FUNCTION public.edits_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'edits are only added, never removed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_append_only';
    END IF;
    IF (NEW.id, NEW.task_id, NEW.revision, NEW.author_id, NEW.version_id, NEW.source, NEW.map_height, NEW.map_width,
        NEW.map, NEW.provenance::text, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.task_id, OLD.revision, OLD.author_id, OLD.version_id, OLD.source, OLD.map_height, OLD.map_width,
        OLD.map, OLD.provenance::text, OLD.created_at)
       OR (OLD.submitted_at IS NOT NULL AND
           (NEW.submitted_at, NEW.before::text, NEW.after::text) IS DISTINCT FROM (OLD.submitted_at, OLD.before::text, OLD.after::text)) THEN
        RAISE EXCEPTION 'edit % cannot be changed: add a revision', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_append_only';
    END IF;
    IF NOT (OLD.state = NEW.state
            OR (OLD.state = 'draft' AND NEW.state = 'submitted')
            OR (OLD.state = 'submitted' AND NEW.state IN ('approved', 'rejected'))) THEN
        RAISE EXCEPTION 'edit % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_state_order';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.edits_judged_by_review() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reviews WHERE edit_id = NEW.id
                   AND verdict = CASE NEW.state WHEN 'approved' THEN 'approve' ELSE 'reject' END) THEN
        RAISE EXCEPTION 'edit % is % without such a review', NEW.id, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_judged_by_review';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.reviews_check() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    judged edits;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION 'reviews are only added'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_append_only';
    END IF;
    SELECT * INTO judged FROM edits WHERE id = NEW.edit_id FOR UPDATE;
    IF judged.state <> 'submitted' THEN
        RAISE EXCEPTION 'edit % is %, not submitted', judged.id, judged.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_of_submitted';
    END IF;
    IF NEW.reviewer_id = ANY (task_drawn_by(judged.task_id)) THEN
        RAISE EXCEPTION 'user % drew a revision of task % since its last verdict and cannot review edit %', NEW.reviewer_id, judged.task_id, judged.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_not_by_author';
    END IF;
    IF NOT EXISTS (SELECT FROM users WHERE id = NEW.reviewer_id AND role IN ('reviewer', 'admin') AND NOT disabled) THEN
        RAISE EXCEPTION 'user % is no reviewer', NEW.reviewer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_by_reviewer';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.river_job_state_in_bitmask(bitmask bit, state public.river_job_state) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE state
        WHEN 'available' THEN get_bit(bitmask, 7)
        WHEN 'cancelled' THEN get_bit(bitmask, 6)
        WHEN 'completed' THEN get_bit(bitmask, 5)
        WHEN 'discarded' THEN get_bit(bitmask, 4)
        WHEN 'pending'   THEN get_bit(bitmask, 3)
        WHEN 'retryable' THEN get_bit(bitmask, 2)
        WHEN 'running'   THEN get_bit(bitmask, 1)
        WHEN 'scheduled' THEN get_bit(bitmask, 0)
        ELSE 0
    END = 1;
$$;
CREATE FUNCTION public.round_events_wake() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('round_events', id::text) FROM (SELECT DISTINCT round_id AS id FROM added) AS r;
    RETURN NULL;
END $$;
CREATE FUNCTION public.rounds_state_order() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT (OLD.state = NEW.state
            OR (OLD.state = 'queued' AND NEW.state IN ('training', 'cancelled', 'failed'))
            OR (OLD.state = 'training' AND NEW.state IN ('evaluating', 'finished', 'cancelled', 'failed'))
            OR (OLD.state = 'evaluating' AND NEW.state IN ('training', 'finished', 'cancelled', 'failed'))) THEN
        RAISE EXCEPTION 'round % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'rounds_state_order';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.task_drawn_by(task bigint) RETURNS bigint[]
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce(array_agg(DISTINCT e.author_id ORDER BY e.author_id), '{}') FROM edits e
    WHERE e.task_id = task
        AND (e.revision > coalesce((SELECT max(j.revision) FROM edits j WHERE j.task_id = task AND j.state IN ('approved', 'rejected')), 0)
             OR e.map = (SELECT s.map FROM edits s WHERE s.task_id = task AND s.state = 'submitted'))
$$;
COMMENT ON FUNCTION public.task_drawn_by(task bigint) IS 'Who had a hand in what is to be judged of a task: drew any revision since the last verdict, or drew the same map before it. They do not judge it. annotator.TaskCard.MayJudge is the rule; queues, pages and reviews_check ask this.';
CREATE FUNCTION public.versions_keep_content() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF (NEW.id, NEW.project_id, NEW.number, NEW.parent_id, NEW.round_id, NEW.model_hash, NEW.extractor_hash, NEW.grid_height, NEW.grid_width)
       IS DISTINCT FROM
       (OLD.id, OLD.project_id, OLD.number, OLD.parent_id, OLD.round_id, OLD.model_hash, OLD.extractor_hash, OLD.grid_height, OLD.grid_width) THEN
        RAISE EXCEPTION 'version % cannot be changed: add another', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'versions_keep_content';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.versions_keep_one_active() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM versions WHERE project_id = NEW.project_id)
       AND NOT EXISTS (SELECT FROM versions WHERE project_id = NEW.project_id AND state = 'active') THEN
        RAISE EXCEPTION 'project % has versions but no active one', NEW.project_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'versions_one_active';
    END IF;
    RETURN NULL;
END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.audit (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    project_id bigint,
    actor_id bigint,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    CONSTRAINT audit_action_check CHECK ((action ~ '^[a-z]+\.[a-z]+$'::text))
);
COMMENT ON TABLE public.audit IS 'Who did what to what. Lines are only added.';
COMMENT ON COLUMN public.audit.actor_id IS 'Null for commands run on the server itself.';
ALTER TABLE public.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.classes (
    project_id bigint NOT NULL,
    index integer NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    CONSTRAINT classes_index_check CHECK ((index >= 0)),
    CONSTRAINT classes_key_check CHECK ((key <> ''::text)),
    CONSTRAINT classes_name_check CHECK ((name <> ''::text))
);
COMMENT ON TABLE public.classes IS 'The K answers of a project''s classifier; index is the place among the model''s logits.';
CREATE TABLE public.edit_histories (
    task_id bigint NOT NULL,
    revision integer NOT NULL,
    history json NOT NULL,
    CONSTRAINT edit_histories_size CHECK ((octet_length((history)::text) <= 1048576))
);
COMMENT ON TABLE public.edit_histories IS 'The editor''s undo stack of a task''s latest revision. Each replaces the one before: it holds all strokes so far.';
CREATE TABLE public.edits (
    id bigint NOT NULL,
    task_id bigint NOT NULL,
    revision integer NOT NULL,
    author_id bigint NOT NULL,
    version_id bigint NOT NULL,
    state text DEFAULT 'draft'::text NOT NULL,
    source text NOT NULL,
    map_height integer NOT NULL,
    map_width integer NOT NULL,
    map bytea NOT NULL,
    provenance json,
    before json,
    after json,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    submitted_at timestamp with time zone,
    judged_at timestamp with time zone,
    CONSTRAINT edits_judged_when CHECK (((state = ANY (ARRAY['approved'::text, 'rejected'::text])) = (judged_at IS NOT NULL))),
    CONSTRAINT edits_map_length CHECK ((octet_length(map) = ((4 * map_height) * map_width))),
    CONSTRAINT edits_revision_check CHECK ((revision >= 1)),
    CONSTRAINT edits_source_check CHECK ((source = ANY (ARRAY['painted'::text, 'model'::text, 'generator'::text]))),
    CONSTRAINT edits_state_check CHECK ((state = ANY (ARRAY['draft'::text, 'submitted'::text, 'approved'::text, 'rejected'::text]))),
    CONSTRAINT edits_submitted_when CHECK (((state = 'draft'::text) = (submitted_at IS NULL)))
);
COMMENT ON TABLE public.edits IS 'Immutable revisions of a person''s map for a task. Rows are only added; a row''s state moves on.';
COMMENT ON COLUMN public.edits.version_id IS 'The version whose map it started from.';
COMMENT ON COLUMN public.edits.before IS 'Scores with the model''s map, set at submission; after: with this one.';
ALTER TABLE public.edits ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.edits_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.goose_db_version (
    id integer NOT NULL,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp timestamp without time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.goose_db_version ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.goose_db_version_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.images (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    name text NOT NULL,
    split text NOT NULL,
    label integer,
    group_name text DEFAULT ''::text NOT NULL,
    hash text NOT NULL,
    mask_hash text DEFAULT ''::text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    broken text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT images_hash_check CHECK ((hash ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT images_height_check CHECK ((height >= 0)),
    CONSTRAINT images_mask_hash_check CHECK (((mask_hash = ''::text) OR (mask_hash ~ '^[0-9a-f]{64}$'::text))),
    CONSTRAINT images_name_check CHECK ((name <> ''::text)),
    CONSTRAINT images_size_known CHECK (((broken <> ''::text) OR ((width > 0) AND (height > 0)))),
    CONSTRAINT images_split_check CHECK ((split = ANY (ARRAY['train'::text, 'validation'::text, 'test'::text, 'pool'::text]))),
    CONSTRAINT images_width_check CHECK ((width >= 0))
);
COMMENT ON TABLE public.images IS 'Pictures of a project. Their bytes are blobs under hash.';
COMMENT ON COLUMN public.images.group_name IS 'Subgroup for worst-group accuracy, such as the scene.';
COMMENT ON COLUMN public.images.broken IS 'Why the file cannot be decoded; empty if it can.';
ALTER TABLE public.images ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.images_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.installation (
    one boolean DEFAULT true NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT installation_one_check CHECK (one)
);
COMMENT ON TABLE public.installation IS 'Which studio this is. A blob store bears its id, so that no other studio sweeps what this one refers to.';
CREATE TABLE public.job_parts (
    job_id bigint NOT NULL,
    river_job_id bigint NOT NULL
);
COMMENT ON TABLE public.job_parts IS 'Which rows of river_job work on which job.';
CREATE TABLE public.jobs (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    kind text NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    version_id bigint,
    round_id bigint,
    done integer DEFAULT 0 NOT NULL,
    total integer DEFAULT 0 NOT NULL,
    remaining_seconds double precision DEFAULT 0 NOT NULL,
    message text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    phase text DEFAULT ''::text NOT NULL,
    fraction double precision DEFAULT 0 NOT NULL,
    reported_at timestamp with time zone DEFAULT now() NOT NULL,
    unreadable integer DEFAULT 0 NOT NULL,
    first_unreadable bigint,
    CONSTRAINT jobs_done_check CHECK ((done >= 0)),
    CONSTRAINT jobs_fraction_check CHECK (((fraction >= (0)::double precision) AND (fraction <= (1)::double precision))),
    CONSTRAINT jobs_kind_check CHECK ((kind = ANY (ARRAY['import'::text, 'scan'::text, 'round'::text, 'evaluate'::text, 'add'::text]))),
    CONSTRAINT jobs_over_when CHECK (((state = ANY (ARRAY['finished'::text, 'failed'::text, 'cancelled'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT jobs_round CHECK (((kind = 'round'::text) = (round_id IS NOT NULL))),
    CONSTRAINT jobs_running_started CHECK (((state <> 'running'::text) OR (started_at IS NOT NULL))),
    CONSTRAINT jobs_scan_version CHECK (((kind <> 'scan'::text) OR (version_id IS NOT NULL))),
    CONSTRAINT jobs_started_when CHECK (((state <> 'queued'::text) OR (started_at IS NULL))),
    CONSTRAINT jobs_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'finished'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT jobs_total_check CHECK ((total >= 0)),
    CONSTRAINT jobs_unreadable_check CHECK ((unreadable >= 0))
);
COMMENT ON TABLE public.jobs IS 'Background work as pages show it. One may stand for several rows of river_job, as a scan does.';
COMMENT ON COLUMN public.jobs.phase IS 'The stage at work (internal/progress); done and total count its units, or percent of a round.';
COMMENT ON COLUMN public.jobs.fraction IS 'Share of the whole work. It never falls, and is 1 only when the job has finished.';
COMMENT ON COLUMN public.jobs.reported_at IS 'When whoever does the work was last heard of. Work that no River job stands for is given up when this is old.';
COMMENT ON COLUMN public.jobs.unreadable IS 'How many images of a scan or an import could not be read.';
ALTER TABLE public.jobs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.predictions (
    version_id bigint NOT NULL,
    image_id bigint NOT NULL,
    class integer NOT NULL,
    confidence real NOT NULL,
    correct boolean NOT NULL,
    att_class integer NOT NULL,
    top_classes integer[] NOT NULL,
    top_values real[] NOT NULL,
    probabilities bytea NOT NULL,
    map_height integer NOT NULL,
    map_width integer NOT NULL,
    map bytea NOT NULL,
    CONSTRAINT predictions_att_class_check CHECK ((att_class >= 0)),
    CONSTRAINT predictions_class_check CHECK ((class >= 0)),
    CONSTRAINT predictions_confidence_check CHECK (((confidence >= (0)::double precision) AND (confidence <= (1.0001)::double precision))),
    CONSTRAINT predictions_map_length CHECK ((octet_length(map) = ((4 * map_height) * map_width))),
    CONSTRAINT predictions_probabilities_check CHECK (((octet_length(probabilities) % 4) = 0)),
    CONSTRAINT predictions_top_length CHECK ((cardinality(top_classes) = cardinality(top_values)))
);
COMMENT ON TABLE public.predictions IS 'What one version says of one image: each exactly once.';
COMMENT ON COLUMN public.predictions.probabilities IS 'Softmax of the perception branch: K little-endian float32.';
COMMENT ON COLUMN public.predictions.map IS 'The attention map, row by row: map_height·map_width little-endian float32 in [0,1].';
CREATE TABLE public.projects (
    id bigint NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT projects_name_check CHECK ((btrim(name) <> ''::text)),
    CONSTRAINT projects_slug_check CHECK ((slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'::text))
);
COMMENT ON TABLE public.projects IS 'One classifier each, its images and the work of its people.';
ALTER TABLE public.projects ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.projects_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.reviews (
    id bigint NOT NULL,
    edit_id bigint NOT NULL,
    reviewer_id bigint NOT NULL,
    verdict text NOT NULL,
    comment text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT reviews_rejection_says_why CHECK (((verdict <> 'reject'::text) OR (btrim(comment) <> ''::text))),
    CONSTRAINT reviews_verdict_check CHECK ((verdict = ANY (ARRAY['approve'::text, 'reject'::text])))
);
COMMENT ON TABLE public.reviews IS 'Judgements of submitted edits. Whoever drew any revision since the last verdict is never the reviewer.';
ALTER TABLE public.reviews ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.reviews_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.river_job (
    id bigint NOT NULL,
    state public.river_job_state DEFAULT 'available'::public.river_job_state NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 25 NOT NULL,
    attempted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finalized_at timestamp with time zone,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    priority smallint DEFAULT 1 NOT NULL,
    args jsonb NOT NULL,
    attempted_by text[],
    errors jsonb[],
    kind text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL,
    tags character varying(255)[] DEFAULT '{}'::character varying[] NOT NULL,
    unique_key bytea,
    unique_states bit(8),
    CONSTRAINT finalized_or_finalized_at_null CHECK ((((finalized_at IS NULL) AND (state <> ALL (ARRAY['cancelled'::public.river_job_state, 'completed'::public.river_job_state, 'discarded'::public.river_job_state]))) OR ((finalized_at IS NOT NULL) AND (state = ANY (ARRAY['cancelled'::public.river_job_state, 'completed'::public.river_job_state, 'discarded'::public.river_job_state]))))),
    CONSTRAINT kind_length CHECK (((char_length(kind) > 0) AND (char_length(kind) < 128))),
    CONSTRAINT max_attempts_is_positive CHECK ((max_attempts > 0)),
    CONSTRAINT priority_in_range CHECK (((priority >= 1) AND (priority <= 4))),
    CONSTRAINT queue_length CHECK (((char_length(queue) > 0) AND (char_length(queue) < 128)))
);
CREATE SEQUENCE public.river_job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.river_job_id_seq OWNED BY public.river_job.id;
CREATE UNLOGGED TABLE public.river_leader (
    elected_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    leader_id text NOT NULL,
    name text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT leader_id_length CHECK (((char_length(leader_id) > 0) AND (char_length(leader_id) < 128))),
    CONSTRAINT name_length CHECK ((name = 'default'::text))
);
CREATE TABLE public.river_migration (
    line text NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT line_length CHECK (((char_length(line) > 0) AND (char_length(line) < 128))),
    CONSTRAINT version_gte_1 CHECK ((version >= 1))
);
CREATE TABLE public.river_notification (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (((length(topic) > 0) AND (length(topic) < 128)))
);
CREATE SEQUENCE public.river_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.river_notification_id_seq OWNED BY public.river_notification.id;
CREATE TABLE public.river_queue (
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    paused_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE public.round_edits (
    round_id bigint NOT NULL,
    image_id bigint NOT NULL,
    edit_id bigint NOT NULL
);
COMMENT ON TABLE public.round_edits IS 'The edits a round learns from: the latest approved one of each image when it was started.';
CREATE TABLE public.round_events (
    id bigint NOT NULL,
    round_id bigint NOT NULL,
    kind text NOT NULL,
    arm text,
    step integer,
    body json,
    CONSTRAINT round_events_arm_check CHECK ((arm = ANY (ARRAY['candidate'::text, 'control'::text]))),
    CONSTRAINT round_events_kind_check CHECK ((kind = ANY (ARRAY['point'::text, 'round'::text]))),
    CONSTRAINT round_events_point CHECK (((kind = 'point'::text) = ((arm IS NOT NULL) AND (step IS NOT NULL) AND (body IS NOT NULL))))
);
COMMENT ON TABLE public.round_events IS 'What a round''s page is told: points of the loss curves, and one row that says the round itself changed (it is replaced, so that its id is always the newest).';
ALTER TABLE public.round_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.round_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.rounds (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    number integer NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    settings jsonb NOT NULL,
    parent_version bigint NOT NULL,
    started_by bigint,
    started_by_name text NOT NULL,
    idempotency_key text,
    last_image_id bigint NOT NULL,
    edits integer NOT NULL,
    images integer NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    progress jsonb DEFAULT '{}'::jsonb NOT NULL,
    result jsonb,
    error text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    cancel_requested_at timestamp with time zone,
    finished_at timestamp with time zone,
    unreadable jsonb,
    CONSTRAINT rounds_edits_check CHECK ((edits >= 1)),
    CONSTRAINT rounds_error_of_failed CHECK (((state = 'failed'::text) = (error <> ''::text))),
    CONSTRAINT rounds_images_check CHECK ((images >= 1)),
    CONSTRAINT rounds_number_check CHECK ((number >= 1)),
    CONSTRAINT rounds_over_when CHECK (((state = ANY (ARRAY['finished'::text, 'cancelled'::text, 'failed'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT rounds_queued_not_started CHECK (((state <> 'queued'::text) OR ((started_at IS NULL) AND (attempt = 0)))),
    CONSTRAINT rounds_result_of_finished CHECK (((state = 'finished'::text) = (result IS NOT NULL))),
    CONSTRAINT rounds_running_started CHECK (((state <> ALL (ARRAY['training'::text, 'evaluating'::text, 'finished'::text])) OR (started_at IS NOT NULL))),
    CONSTRAINT rounds_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'training'::text, 'evaluating'::text, 'finished'::text, 'cancelled'::text, 'failed'::text])))
);
COMMENT ON TABLE public.rounds IS 'Fine-tunings: a candidate and its control, from one parent version.';
COMMENT ON COLUMN public.rounds.last_image_id IS 'The newest image when it was started: later ones do not join, so that a resumed round sees the same data.';
COMMENT ON COLUMN public.rounds.attempt IS 'Raised by every worker that takes the round; writes of an earlier attempt are refused.';
COMMENT ON COLUMN public.rounds.unreadable IS 'How many images the round left out since their files could not be read, and the first of them with the reasons; null for none.';
ALTER TABLE public.rounds ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rounds_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.scan_chunks (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    image_ids bigint[] NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    claimed_by text,
    lease_expires_at timestamp with time zone,
    done_at timestamp with time zone,
    CONSTRAINT scan_chunks_done_is_nobodys CHECK (((done_at IS NULL) OR (claimed_by IS NULL))),
    CONSTRAINT scan_chunks_image_ids_check CHECK ((cardinality(image_ids) > 0)),
    CONSTRAINT scan_chunks_lease CHECK (((claimed_by IS NULL) = (lease_expires_at IS NULL)))
);
COMMENT ON TABLE public.scan_chunks IS 'Parts of a scan. A worker claims one for a few seconds at a time; one whose worker fell silent is claimed again under the next attempt.';
ALTER TABLE public.scan_chunks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.scan_chunks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.sessions (
    token text NOT NULL,
    data bytea NOT NULL,
    expiry timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.sessions IS 'Signed-in browsers, as scs with pgxstore keeps them.';
CREATE TABLE public.tasks (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    image_id bigint NOT NULL,
    version_id bigint NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    author_id bigint,
    lease_expires_at timestamp with time zone,
    returned boolean DEFAULT false NOT NULL,
    skip_reason text,
    label integer NOT NULL,
    predicted integer NOT NULL,
    confidence real NOT NULL,
    submitted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tasks_author_known CHECK (((state = ANY (ARRAY['open'::text, 'skipped'::text])) OR (author_id IS NOT NULL))),
    CONSTRAINT tasks_changes_due CHECK (((state <> 'changes-requested'::text) OR returned)),
    CONSTRAINT tasks_lease_of_leased CHECK (((state = 'leased'::text) = (lease_expires_at IS NOT NULL))),
    CONSTRAINT tasks_open_is_nobodys CHECK (((state <> 'open'::text) OR (author_id IS NULL))),
    CONSTRAINT tasks_returned CHECK (((NOT returned) OR (state = ANY (ARRAY['leased'::text, 'changes-requested'::text])))),
    CONSTRAINT tasks_skipped_why CHECK (((state = 'skipped'::text) = (skip_reason IS NOT NULL))),
    CONSTRAINT tasks_state_check CHECK ((state = ANY (ARRAY['open'::text, 'leased'::text, 'submitted'::text, 'approved'::text, 'changes-requested'::text, 'skipped'::text]))),
    CONSTRAINT tasks_submitted_when CHECK (((state <> ALL (ARRAY['submitted'::text, 'approved'::text, 'changes-requested'::text])) OR (submitted_at IS NOT NULL)))
);
COMMENT ON TABLE public.tasks IS 'Images a version gets wrong, whose attention map a person is asked to repaint.';
COMMENT ON COLUMN public.tasks.author_id IS 'Who paints it; while leased, the holder of the lease.';
COMMENT ON COLUMN public.tasks.returned IS 'A reviewer asked for changes: when its lease ends it goes back to its author.';
COMMENT ON COLUMN public.tasks.label IS 'With predicted and confidence a copy of what made the task, so that the queue is one index scan.';
ALTER TABLE public.tasks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.tasks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.tokens (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    scopes text[] NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT tokens_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT tokens_scopes CHECK (((cardinality(scopes) >= 1) AND (scopes <@ '{read,paint,review,admin}'::text[])))
);
COMMENT ON TABLE public.tokens IS 'Bearer tokens of the API. Only the SHA-256 of a token is kept. Revoked ones stay, so that whoever uses one is told.';
COMMENT ON COLUMN public.tokens.last_used_at IS 'To within ten minutes: it is not written at every request.';
COMMENT ON COLUMN public.tokens.scopes IS 'What it may be used for, where its owner''s role allows that.';
ALTER TABLE public.tokens ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.tokens_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.uploads (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    name text NOT NULL,
    state text DEFAULT 'inspected'::text NOT NULL,
    model_hash text NOT NULL,
    bytes bigint NOT NULL,
    report jsonb NOT NULL,
    manifest jsonb,
    activate boolean DEFAULT false NOT NULL,
    problem text DEFAULT ''::text NOT NULL,
    version_id bigint,
    uploaded_by bigint,
    uploaded_by_name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    CONSTRAINT uploads_added_is_version CHECK (((state = 'added'::text) = (version_id IS NOT NULL))),
    CONSTRAINT uploads_adding_has_manifest CHECK (((state <> ALL (ARRAY['adding'::text, 'added'::text])) OR (manifest IS NOT NULL))),
    CONSTRAINT uploads_bytes_check CHECK ((bytes > 0)),
    CONSTRAINT uploads_model_hash_check CHECK ((model_hash ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT uploads_refused_why CHECK (((state = 'refused'::text) = (problem <> ''::text))),
    CONSTRAINT uploads_state_check CHECK ((state = ANY (ARRAY['inspected'::text, 'adding'::text, 'added'::text, 'refused'::text])))
);
COMMENT ON TABLE public.uploads IS 'Model files somebody sent, inspected but not run, until a worker has made versions of them. Those nobody adds are removed after a day, and their files with them.';
COMMENT ON COLUMN public.uploads.manifest IS 'As it is to be added; null while it is not known.';
COMMENT ON COLUMN public.uploads.tries IS 'How often in a row a worker began to run the model and was never heard of again.';
ALTER TABLE public.uploads ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.uploads_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.users (
    id bigint NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    password_hash text,
    disabled boolean DEFAULT false NOT NULL,
    generator boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone,
    CONSTRAINT users_email_check CHECK ((email <> ''::text)),
    CONSTRAINT users_generator_has_no_password CHECK ((generator = (password_hash IS NULL))),
    CONSTRAINT users_name_check CHECK ((btrim(name) <> ''::text)),
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['annotator'::text, 'reviewer'::text, 'admin'::text])))
);
COMMENT ON TABLE public.users IS 'People who can sign in, and generators: authors of edits no person painted.';
COMMENT ON COLUMN public.users.password_hash IS 'argon2id in PHC form; null for generators, who cannot sign in.';
ALTER TABLE public.users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.versions (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    number integer NOT NULL,
    parent_id bigint,
    round_id bigint,
    state text NOT NULL,
    model_hash text NOT NULL,
    extractor_hash text NOT NULL,
    manifest jsonb NOT NULL,
    grid_height integer NOT NULL,
    grid_width integer NOT NULL,
    gain text NOT NULL,
    parameters bigint NOT NULL,
    bytes bigint NOT NULL,
    learning_rate double precision DEFAULT 0 NOT NULL,
    figures jsonb DEFAULT '{}'::jsonb NOT NULL,
    scanned integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    activated_at timestamp with time zone,
    archived_at timestamp with time zone,
    training jsonb,
    CONSTRAINT versions_archived_when CHECK (((state = 'archived'::text) = (archived_at IS NOT NULL))),
    CONSTRAINT versions_bytes_check CHECK ((bytes >= 0)),
    CONSTRAINT versions_candidate_was_never_active CHECK (((state = 'candidate'::text) = (activated_at IS NULL))),
    CONSTRAINT versions_extractor_hash_check CHECK ((extractor_hash ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT versions_gain_check CHECK ((gain = ANY (ARRAY['1+M'::text, 'M'::text, 'other'::text]))),
    CONSTRAINT versions_grid_height_check CHECK (((grid_height >= 1) AND (grid_height <= 512))),
    CONSTRAINT versions_grid_width_check CHECK (((grid_width >= 1) AND (grid_width <= 512))),
    CONSTRAINT versions_learning_rate_check CHECK ((learning_rate >= (0)::double precision)),
    CONSTRAINT versions_model_hash_check CHECK ((model_hash ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT versions_number_check CHECK ((number >= 1)),
    CONSTRAINT versions_parameters_check CHECK ((parameters >= 0)),
    CONSTRAINT versions_round_has_parent CHECK (((round_id IS NULL) OR (parent_id IS NOT NULL))),
    CONSTRAINT versions_scanned_check CHECK ((scanned >= 0)),
    CONSTRAINT versions_state_check CHECK ((state = ANY (ARRAY['candidate'::text, 'active'::text, 'archived'::text])))
);
COMMENT ON TABLE public.versions IS 'Trained models of a project, imported or made by a round. Their files are blobs under model_hash.';
COMMENT ON COLUMN public.versions.learning_rate IS 'Peak learning rate that suits the network, what a round''s form starts with; 0: not known.';
COMMENT ON COLUMN public.versions.scanned IS 'How many predictions of this version there are, kept by those who write them.';
COMMENT ON COLUMN public.versions.training IS 'What each engine can train of the network, by strategy and BatchNorm, and which nodes keep it from the rest; null where nobody has asked yet.';
ALTER TABLE public.versions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.versions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.workers (
    id text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    steady_since timestamp with time zone DEFAULT now() NOT NULL,
    feature_bytes bigint DEFAULT 0 NOT NULL,
    feature_limit bigint DEFAULT 0 NOT NULL,
    CONSTRAINT workers_feature_bytes_check CHECK ((feature_bytes >= 0)),
    CONSTRAINT workers_feature_limit_check CHECK ((feature_limit >= 0))
);
COMMENT ON TABLE public.workers IS 'Processes that work on jobs, by the ID of their River client, and when each was last heard of.';
COMMENT ON COLUMN public.workers.steady_since IS 'Since when it has been heard of without a gap. Only who has been long enough may take over from a silent worker: after an outage of the database everybody else had the time to report, too.';
COMMENT ON COLUMN public.workers.feature_bytes IS 'What the worker''s folder of features takes on its disk, as far as it knows.';
COMMENT ON COLUMN public.workers.feature_limit IS 'The bound of that folder; 0: not said.';
ALTER TABLE ONLY public.river_job ALTER COLUMN id SET DEFAULT nextval('public.river_job_id_seq'::regclass);
ALTER TABLE ONLY public.river_notification ALTER COLUMN id SET DEFAULT nextval('public.river_notification_id_seq'::regclass);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (1, '2026-11-28 12:32:34.781+00', 1, 1, 'Grace', 'project.create', 'project birds', 'Birds');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (2, '2026-11-28 12:32:34.781+00', 1, 3, 'Ada', 'task.lease', 'task 1', '');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (3, '2026-11-28 12:32:34.781+00', 1, 3, 'Ada', 'edit.submit', 'edit 1', 'task 1, revision 1');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (4, '2026-11-28 12:32:34.781+00', 1, 2, 'Rose', 'edit.approve', 'edit 1', '');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (5, '2026-11-28 12:32:34.781+00', 1, 3, 'Ada', 'task.lease', 'task 2', '');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (6, '2026-11-28 12:32:34.781+00', 1, 3, 'Ada', 'edit.submit', 'edit 2', 'task 2, revision 1');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (7, '2026-11-28 12:32:34.781+00', 1, 2, 'Rose', 'edit.reject', 'edit 2', 'the beak is missing');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (8, '2026-11-28 12:32:34.781+00', 1, 4, 'Bob', 'task.lease', 'task 3', '');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (9, '2026-11-28 12:32:34.781+00', 1, 4, 'Bob', 'task.skip', 'task 3', 'blurred');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (10, '2026-11-28 12:32:34.781+00', 1, 4, 'Bob', 'task.lease', 'task 4', '');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (11, '2026-11-28 12:32:34.781+00', 1, NULL, 'command line', 'edit.generate', 'version 1', '1 edits from known masks, by Mask generator');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (12, '2026-11-28 12:32:34.781+00', 1, 1, 'Grace', 'round.start', 'round 1', 'both, γ 1, 2 edits');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (13, '2026-11-28 12:32:34.781+00', 1, 1, 'Grace', 'round.finish', 'round 1', 'v2. Maps helped.');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (14, '2026-11-28 12:32:34.781+00', 1, 1, 'Grace', 'round.start', 'round 2', 'both, γ 1, 2 edits');
INSERT INTO public.classes VALUES (1, 0, 'class-0', 'Zero');
INSERT INTO public.classes VALUES (1, 1, 'class-1', 'One');
INSERT INTO public.classes VALUES (1, 2, 'class-2', 'Two');
INSERT INTO public.edit_histories VALUES (2, 1, '{"strokes":[1]}');
INSERT INTO public.edits OVERRIDING SYSTEM VALUE VALUES (1, 1, 1, 3, 1, 'approved', 'painted', 2, 3, '\x0000403f0000403f0000403f0000403f0000403f0000403f', NULL, '{"probabilities":[0.5,0.5,0],"top":[{"class":0,"name":"Zero","probability":0.5},{"class":1,"name":"One","probability":0.5},{"class":2,"name":"Two","probability":0}],"label":0,"correct":true,"milliseconds":0.001717}', '{"probabilities":[0.75,0.25,0],"top":[{"class":0,"name":"Zero","probability":0.75},{"class":1,"name":"One","probability":0.25},{"class":2,"name":"Two","probability":0}],"label":0,"correct":true,"milliseconds":0.000285}', '2026-11-28 12:32:34.781+00', '2026-11-28 12:32:34.781+00', '2026-11-28 12:32:34.781+00');
INSERT INTO public.edits OVERRIDING SYSTEM VALUE VALUES (2, 2, 1, 3, 1, 'rejected', 'model', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f', NULL, '{"probabilities":[0,0.5,0.5],"top":[{"class":1,"name":"One","probability":0.5},{"class":2,"name":"Two","probability":0.5},{"class":0,"name":"Zero","probability":0}],"label":1,"correct":true,"milliseconds":0.002614}', '{"probabilities":[0,0.5,0.5],"top":[{"class":1,"name":"One","probability":0.5},{"class":2,"name":"Two","probability":0.5},{"class":0,"name":"Zero","probability":0}],"label":1,"correct":true,"milliseconds":0.000342}', '2026-11-28 12:32:34.781+00', '2026-11-28 12:32:34.781+00', '2026-11-28 12:32:34.781+00');
INSERT INTO public.edits OVERRIDING SYSTEM VALUE VALUES (3, 4, 1, 4, 1, 'draft', 'painted', 2, 3, '\x0000803e0000803e0000803e0000803e0000803e0000803e', NULL, NULL, NULL, '2026-11-28 12:32:34.781+00', NULL, NULL);
INSERT INTO public.edits OVERRIDING SYSTEM VALUE VALUES (4, 8, 1, 5, 1, 'approved', 'generator', 2, 3, '\x0000803f0000803f0000803f0000803f0000803f0000803f', '{"made_by":"generator","from":"known mask"}', NULL, NULL, '2026-11-28 12:32:34.781+00', '2026-11-28 12:32:34.781+00', '2026-11-28 12:32:34.781+00');
INSERT INTO public.goose_db_version VALUES (1, 0, true, '2026-11-28 12:32:33.889516');
INSERT INTO public.goose_db_version VALUES (2, 1, true, '2026-11-28 12:32:33.916625');
INSERT INTO public.goose_db_version VALUES (3, 2, true, '2026-11-28 12:32:33.962696');
INSERT INTO public.goose_db_version VALUES (4, 3, true, '2026-11-28 12:32:33.981559');
INSERT INTO public.goose_db_version VALUES (5, 4, true, '2026-11-28 12:32:33.998315');
INSERT INTO public.goose_db_version VALUES (6, 5, true, '2026-11-28 12:32:34.025929');
INSERT INTO public.goose_db_version VALUES (7, 6, true, '2026-11-28 12:32:34.047358');
INSERT INTO public.goose_db_version VALUES (8, 7, true, '2026-11-28 12:32:34.080614');
INSERT INTO public.goose_db_version VALUES (9, 8, true, '2026-11-28 12:32:34.107927');
INSERT INTO public.goose_db_version VALUES (10, 9, true, '2026-11-28 12:32:34.129275');
INSERT INTO public.goose_db_version VALUES (11, 10, true, '2026-11-28 12:32:34.167929');
INSERT INTO public.goose_db_version VALUES (12, 11, true, '2026-11-28 12:32:34.1867');
INSERT INTO public.goose_db_version VALUES (13, 12, true, '2026-11-28 12:32:34.228608');
INSERT INTO public.goose_db_version VALUES (14, 13, true, '2026-11-28 12:32:34.240546');
INSERT INTO public.goose_db_version VALUES (15, 14, true, '2026-11-28 12:32:34.258634');
INSERT INTO public.goose_db_version VALUES (16, 15, true, '2026-11-28 12:32:34.259278');
INSERT INTO public.goose_db_version VALUES (17, 16, true, '2026-11-28 12:32:34.289276');
INSERT INTO public.goose_db_version VALUES (18, 17, true, '2026-11-28 12:32:34.289885');
INSERT INTO public.goose_db_version VALUES (19, 18, true, '2026-11-28 12:32:34.292244');
INSERT INTO public.goose_db_version VALUES (20, 21, true, '2026-11-28 12:32:34.292882');
INSERT INTO public.goose_db_version VALUES (21, 22, true, '2026-11-28 12:32:34.293993');
INSERT INTO public.goose_db_version VALUES (22, 23, true, '2026-11-28 12:32:34.295515');
INSERT INTO public.goose_db_version VALUES (23, 24, true, '2026-11-28 12:32:34.296002');
INSERT INTO public.goose_db_version VALUES (24, 25, true, '2026-11-28 12:32:34.29763');
INSERT INTO public.goose_db_version VALUES (25, 26, true, '2026-11-28 12:32:34.299087');
INSERT INTO public.goose_db_version VALUES (26, 27, true, '2026-11-28 12:32:34.299959');
INSERT INTO public.goose_db_version VALUES (27, 28, true, '2026-11-28 12:32:34.3002');
INSERT INTO public.goose_db_version VALUES (28, 29, true, '2026-11-28 12:32:34.300829');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (1, 1, 'train/0.png', 'train', 0, '', '0000000000000000000000000000000000000000000000000000000000000000', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (2, 1, 'train/1.png', 'train', 1, '', '0000000000000000000000000000000000000000000000000000000000000001', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (3, 1, 'train/2.png', 'train', 2, '', '0000000000000000000000000000000000000000000000000000000000000002', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (4, 1, 'train/3.png', 'train', 0, '', '0000000000000000000000000000000000000000000000000000000000000003', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (5, 1, 'train/4.png', 'train', 1, '', '0000000000000000000000000000000000000000000000000000000000000004', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (6, 1, 'train/5.png', 'train', 2, '', '0000000000000000000000000000000000000000000000000000000000000005', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (7, 1, 'pool/0.png', 'pool', 0, '', '0000000000000000000000000000000000000000000000000000000000000006', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (8, 1, 'pool/1.png', 'pool', 1, '', '0000000000000000000000000000000000000000000000000000000000000007', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (9, 1, 'test/0.png', 'test', 0, '', '0000000000000000000000000000000000000000000000000000000000000008', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (10, 1, 'test/1.png', 'test', 1, '', '0000000000000000000000000000000000000000000000000000000000000009', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (11, 1, 'test/2.png', 'test', 2, '', '000000000000000000000000000000000000000000000000000000000000000a', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.images OVERRIDING SYSTEM VALUE VALUES (12, 1, 'test/3.png', 'test', 0, '', '000000000000000000000000000000000000000000000000000000000000000b', '', 64, 48, '', '2026-11-28 12:32:34.799035+00');
INSERT INTO public.installation VALUES (true, 'fe7c2ac9-c922-4c34-bbeb-d5aeac678bb7');
INSERT INTO public.job_parts VALUES (1, 1);
INSERT INTO public.job_parts VALUES (2, 2);
INSERT INTO public.job_parts VALUES (3, 3);
INSERT INTO public.job_parts VALUES (4, 4);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES (1, 1, 'scan', 'finished', 1, NULL, 12, 12, 0, '', '2026-11-28 12:32:34.818817+00', '2026-11-28 12:32:34.826714+00', '2026-11-28 12:32:34.828532+00', 'scanning', 1, '2026-11-28 12:32:34.828532+00', 0, NULL);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES (2, 1, 'round', 'finished', NULL, 1, 100, 100, 0, '', '2026-11-28 12:32:34.919365+00', '2026-11-28 12:32:34.928696+00', '2026-11-28 12:32:34.932816+00', '', 1, '2026-11-28 12:32:34.932816+00', 0, NULL);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES (3, 1, 'round', 'queued', NULL, 2, 0, 0, 0, '', '2026-11-28 12:32:34.93568+00', NULL, NULL, '', 0, '2026-11-28 12:32:34.93568+00', 0, NULL);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES (4, 1, 'evaluate', 'queued', 1, NULL, 0, 0, 0, '', '2026-11-28 12:32:34.942605+00', NULL, NULL, '', 0, '2026-11-28 12:32:34.942605+00', 0, NULL);
INSERT INTO public.predictions VALUES (1, 1, 1, 0.95, false, 1, '{1,0,2}', '{0.95,0.025000006,0.025000006}', '\xd0cccc3c3333733fd0cccc3c', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 2, 2, 0.94, false, 2, '{2,0,1}', '{0.94,0.030000001,0.030000001}', '\x90c2f53c90c2f53cd7a3703f', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 3, 0, 0.93, false, 0, '{0,1,2}', '{0.93,0.034999996,0.034999996}', '\x7b146e3f285c0f3d285c0f3d', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 4, 1, 0.92, false, 1, '{1,0,2}', '{0.92,0.03999999,0.03999999}', '\x08d7233d1f856b3f08d7233d', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 5, 2, 0.90999997, false, 2, '{2,0,1}', '{0.90999997,0.045000017,0.045000017}', '\xf051383df051383dc2f5683f', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 6, 0, 0.9, false, 0, '{0,1,2}', '{0.9,0.050000012,0.050000012}', '\x6666663fd0cc4c3dd0cc4c3d', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 7, 1, 0.89, false, 1, '{1,0,2}', '{0.89,0.055000007,0.055000007}', '\xb047613d0ad7633fb047613d', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 8, 2, 0.88, false, 2, '{2,0,1}', '{0.88,0.060000002,0.060000002}', '\x90c2753d90c2753dae47613f', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 9, 0, 0.9, true, 0, '{0,1,2}', '{0.9,0.050000012,0.050000012}', '\x6666663fd0cc4c3dd0cc4c3d', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 10, 1, 0.9, true, 1, '{1,0,2}', '{0.9,0.050000012,0.050000012}', '\xd0cc4c3d6666663fd0cc4c3d', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 11, 2, 0.9, true, 2, '{2,0,1}', '{0.9,0.050000012,0.050000012}', '\xd0cc4c3dd0cc4c3d6666663f', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.predictions VALUES (1, 12, 0, 0.9, true, 0, '{0,1,2}', '{0.9,0.050000012,0.050000012}', '\x6666663fd0cc4c3dd0cc4c3d', 2, 3, '\x0000003f0000003f0000003f0000003f0000003f0000003f');
INSERT INTO public.projects OVERRIDING SYSTEM VALUE VALUES (1, 'birds', 'Birds', '', '2026-11-28 12:32:34.781+00');
INSERT INTO public.reviews OVERRIDING SYSTEM VALUE VALUES (1, 1, 2, 'approve', '', '2026-11-28 12:32:34.781+00');
INSERT INTO public.reviews OVERRIDING SYSTEM VALUE VALUES (2, 2, 2, 'reject', 'the beak is missing', '2026-11-28 12:32:34.781+00');
INSERT INTO public.reviews OVERRIDING SYSTEM VALUE VALUES (3, 4, 6, 'approve', 'Made from the known mask.', '2026-11-28 12:32:34.781+00');
INSERT INTO public.river_job VALUES (1, 'available', 0, 3, NULL, '2026-11-28 12:32:34.823462+00', NULL, '2026-11-28 12:32:34.823462+00', 1, '{"share": 0, "job_id": 1, "version_id": 1}', NULL, NULL, 'scan', '{}', 'model', '{}', NULL, NULL);
INSERT INTO public.river_job VALUES (2, 'available', 0, 3, NULL, '2026-11-28 12:32:34.925445+00', NULL, '2026-11-28 12:32:34.925445+00', 1, '{"job_id": 2, "round_id": 1}', NULL, NULL, 'round', '{}', 'model', '{}', NULL, NULL);
INSERT INTO public.river_job VALUES (3, 'available', 0, 3, NULL, '2026-11-28 12:32:34.938889+00', NULL, '2026-11-28 12:32:34.938889+00', 1, '{"job_id": 3, "round_id": 2}', NULL, NULL, 'round', '{}', 'model', '{}', NULL, NULL);
INSERT INTO public.river_job VALUES (4, 'available', 0, 3, NULL, '2026-11-28 12:32:34.943118+00', NULL, '2026-11-28 12:32:34.943118+00', 1, '{"job_id": 4, "version_id": 1}', NULL, NULL, 'evaluate', '{}', 'model', '{}', NULL, NULL);
INSERT INTO public.river_migration VALUES ('main', 1, '2026-11-28 12:32:34.302546+00');
INSERT INTO public.river_migration VALUES ('main', 2, '2026-11-28 12:32:34.305857+00');
INSERT INTO public.river_migration VALUES ('main', 3, '2026-11-28 12:32:34.319918+00');
INSERT INTO public.river_migration VALUES ('main', 4, '2026-11-28 12:32:34.325385+00');
INSERT INTO public.river_migration VALUES ('main', 5, '2026-11-28 12:32:34.338865+00');
INSERT INTO public.river_migration VALUES ('main', 6, '2026-11-28 12:32:34.382586+00');
INSERT INTO public.river_migration VALUES ('main', 7, '2026-11-28 12:32:34.385174+00');
INSERT INTO public.river_migration VALUES ('main', 8, '2026-11-28 12:32:34.393962+00');
INSERT INTO public.round_edits VALUES (1, 1, 1);
INSERT INTO public.round_edits VALUES (1, 8, 4);
INSERT INTO public.round_edits VALUES (2, 1, 1);
INSERT INTO public.round_edits VALUES (2, 8, 4);
INSERT INTO public.round_events OVERRIDING SYSTEM VALUE VALUES (4, 1, 'point', 'candidate', 10, '{"arm":"candidate","step":10,"epoch":0,"loss_att":0,"loss_per":0,"loss_map":0.5,"map_distance":0,"loss_anchor":0,"accuracy":0}');
INSERT INTO public.round_events OVERRIDING SYSTEM VALUE VALUES (5, 1, 'round', NULL, NULL, NULL);
INSERT INTO public.round_events OVERRIDING SYSTEM VALUE VALUES (6, 2, 'round', NULL, NULL, NULL);
INSERT INTO public.rounds OVERRIDING SYSTEM VALUE VALUES (1, 1, 1, 'finished', '{"crop": 0, "flip": false, "seed": 1, "gamma": 1, "rates": "by_layer", "anchor": 0, "engine": "ort", "epochs": 6, "warm_up": 0.05, "balanced": false, "map_loss": "l2", "momentum": 0.9, "patience": 0, "schedule": "cosine", "strategy": "both", "clip_norm": 0, "optimizer": "sgd", "batch_norm": "batch", "batch_size": 32, "spare_norms": false, "weight_decay": 0.0001, "learning_rate": 0.02}', 1, 1, 'Grace', NULL, 12, 2, 7, 1, '{"step": 0, "phase": "", "steps": 0, "fraction": 1, "remaining_seconds": 0}', '{"fixed": null, "split": "test", "broken": null, "images": 4, "seconds": 0, "headline": "Maps helped.", "measures": null}', '', '2026-11-28 12:32:34.919365+00', '2026-11-28 12:32:34.928696+00', NULL, '2026-11-28 12:32:34.932816+00', '{"count": 1, "images": [{"id": 6, "name": "train/5.png", "split": "train", "reason": "cut off"}]}');
INSERT INTO public.rounds OVERRIDING SYSTEM VALUE VALUES (2, 1, 2, 'queued', '{"crop": 0, "flip": false, "seed": 1, "gamma": 1, "rates": "by_layer", "anchor": 0, "engine": "ort", "epochs": 6, "warm_up": 0.05, "balanced": false, "map_loss": "l2", "momentum": 0.9, "patience": 0, "schedule": "cosine", "strategy": "both", "clip_norm": 0, "optimizer": "sgd", "batch_norm": "batch", "batch_size": 32, "spare_norms": false, "weight_decay": 0.0001, "learning_rate": 0.02}', 1, 1, 'Grace', NULL, 12, 2, 7, 0, '{}', NULL, '', '2026-11-28 12:32:34.93568+00', NULL, NULL, NULL, NULL);
INSERT INTO public.scan_chunks OVERRIDING SYSTEM VALUE VALUES (1, 1, '{1,2,3,4,5,6,7,8,9,10,11,12}', 1, NULL, NULL, '2026-11-28 12:32:34.828532+00');
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES (5, 1, 5, 1, 'open', NULL, NULL, false, NULL, 1, 2, 0.90999997, NULL, '2026-11-28 12:32:34.828532+00', '2026-11-28 12:32:34.828532+00');
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES (6, 1, 6, 1, 'open', NULL, NULL, false, NULL, 2, 0, 0.9, NULL, '2026-11-28 12:32:34.828532+00', '2026-11-28 12:32:34.828532+00');
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES (7, 1, 7, 1, 'open', NULL, NULL, false, NULL, 0, 1, 0.89, NULL, '2026-11-28 12:32:34.828532+00', '2026-11-28 12:32:34.828532+00');
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES (1, 1, 1, 1, 'approved', 3, NULL, false, NULL, 0, 1, 0.95, '2026-11-28 12:32:34.781+00', '2026-11-28 12:32:34.828532+00', '2026-11-28 12:32:34.781+00');
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES (2, 1, 2, 1, 'changes-requested', 3, NULL, true, NULL, 1, 2, 0.94, '2026-11-28 12:32:34.781+00', '2026-11-28 12:32:34.828532+00', '2026-11-28 12:32:34.781+00');
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES (3, 1, 3, 1, 'skipped', 4, NULL, false, 'blurred', 2, 0, 0.93, NULL, '2026-11-28 12:32:34.828532+00', '2026-11-28 12:32:34.781+00');
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES (4, 1, 4, 1, 'leased', 4, '2026-11-28 12:47:34.781+00', false, NULL, 0, 1, 0.92, NULL, '2026-11-28 12:32:34.828532+00', '2026-11-28 12:32:34.781+00');
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES (8, 1, 8, 1, 'approved', 5, NULL, false, NULL, 1, 2, 0.88, '2026-11-28 12:32:34.781+00', '2026-11-28 12:32:34.828532+00', '2026-11-28 12:32:34.781+00');
INSERT INTO public.tokens OVERRIDING SYSTEM VALUE VALUES (1, 3, 'script', '\x3030303030303030303030303030303030303030303030303030303030303031', '2026-11-28 12:32:34.781+00', NULL, '{read}', '2026-11-28 13:32:34.781+00', NULL);
INSERT INTO public.uploads OVERRIDING SYSTEM VALUE VALUES (1, 1, 'sent.onnx', 'inspected', '00000000000000000000000000000000000000000000000000000000000007d0', 5, '{"gain": "", "nodes": 0, "opset": 0, "parts": null, "values": null, "classes": 0, "training": null, "grid_width": 0, "ir_version": 0, "parameters": 0, "grid_height": 0, "image_width": 0, "image_height": 0, "image_channels": 0}', NULL, false, '', NULL, 1, 'Grace', '2026-11-28 12:32:34.940537+00', 0);
INSERT INTO public.users OVERRIDING SYSTEM VALUE VALUES (1, 'Grace@example.org', 'Grace', 'admin', 'no password', false, false, '2026-11-28 12:32:34.781+00', NULL);
INSERT INTO public.users OVERRIDING SYSTEM VALUE VALUES (2, 'Rose@example.org', 'Rose', 'reviewer', 'no password', false, false, '2026-11-28 12:32:34.781+00', NULL);
INSERT INTO public.users OVERRIDING SYSTEM VALUE VALUES (3, 'Ada@example.org', 'Ada', 'annotator', 'no password', false, false, '2026-11-28 12:32:34.781+00', NULL);
INSERT INTO public.users OVERRIDING SYSTEM VALUE VALUES (4, 'Bob@example.org', 'Bob', 'annotator', 'no password', false, false, '2026-11-28 12:32:34.781+00', NULL);
INSERT INTO public.users OVERRIDING SYSTEM VALUE VALUES (5, 'mask-generator@generator.invalid', 'Mask generator', 'reviewer', NULL, false, true, '2026-11-28 12:32:34.9145+00', NULL);
INSERT INTO public.users OVERRIDING SYSTEM VALUE VALUES (6, 'mask-reviewer@generator.invalid', 'Mask reviewer', 'reviewer', NULL, false, true, '2026-11-28 12:32:34.9145+00', NULL);
INSERT INTO public.versions OVERRIDING SYSTEM VALUE VALUES (1, 1, 1, NULL, NULL, 'active', '00000000000000000000000000000000000000000000000000000000000003e8', '00000000000000000000000000000000000000000000000000000000000003e7', '{"crop": [48, 64]}', 2, 3, '1+M', 42, 4200, 0, '{}', 12, '2026-11-28 12:32:34.813893+00', '2026-11-28 12:32:34.813893+00', NULL, NULL);
INSERT INTO public.versions OVERRIDING SYSTEM VALUE VALUES (2, 1, 2, 1, 1, 'candidate', '00000000000000000000000000000000000000000000000000000000000003e9', '00000000000000000000000000000000000000000000000000000000000003e7', '{"crop": [48, 64]}', 2, 3, '1+M', 42, 4200, 0, '{}', 0, '2026-11-28 12:32:34.932816+00', NULL, NULL, NULL);
INSERT INTO public.workers VALUES ('worker-1', 'here', 1, '2026-11-28 12:32:34.94397+00', '2026-11-28 12:32:34.94397+00', '2026-11-28 12:32:34.94397+00', 0, 0);
SELECT pg_catalog.setval('public.audit_id_seq', 14, true);
SELECT pg_catalog.setval('public.edits_id_seq', 4, true);
SELECT pg_catalog.setval('public.goose_db_version_id_seq', 28, true);
SELECT pg_catalog.setval('public.images_id_seq', 12, true);
SELECT pg_catalog.setval('public.jobs_id_seq', 4, true);
SELECT pg_catalog.setval('public.projects_id_seq', 1, true);
SELECT pg_catalog.setval('public.reviews_id_seq', 3, true);
SELECT pg_catalog.setval('public.river_job_id_seq', 4, true);
SELECT pg_catalog.setval('public.river_notification_id_seq', 1, false);
SELECT pg_catalog.setval('public.round_events_id_seq', 6, true);
SELECT pg_catalog.setval('public.rounds_id_seq', 2, true);
SELECT pg_catalog.setval('public.scan_chunks_id_seq', 1, true);
SELECT pg_catalog.setval('public.tasks_id_seq', 8, true);
SELECT pg_catalog.setval('public.tokens_id_seq', 1, true);
SELECT pg_catalog.setval('public.uploads_id_seq', 1, true);
SELECT pg_catalog.setval('public.users_id_seq', 6, true);
SELECT pg_catalog.setval('public.versions_id_seq', 2, true);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.classes
    ADD CONSTRAINT classes_key UNIQUE (project_id, key) DEFERRABLE;
ALTER TABLE ONLY public.classes
    ADD CONSTRAINT classes_pkey PRIMARY KEY (project_id, index) DEFERRABLE;
ALTER TABLE ONLY public.edit_histories
    ADD CONSTRAINT edit_histories_pkey PRIMARY KEY (task_id);
ALTER TABLE ONLY public.edits
    ADD CONSTRAINT edits_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.edits
    ADD CONSTRAINT edits_revision_key UNIQUE (task_id, revision);
ALTER TABLE ONLY public.goose_db_version
    ADD CONSTRAINT goose_db_version_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_name_key UNIQUE (project_id, name);
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.job_parts
    ADD CONSTRAINT job_parts_pkey PRIMARY KEY (river_job_id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT predictions_pkey PRIMARY KEY (version_id, image_id);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_one_per_edit UNIQUE (edit_id);
ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.river_job
    ADD CONSTRAINT river_job_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.river_leader
    ADD CONSTRAINT river_leader_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.river_migration
    ADD CONSTRAINT river_migration_pkey1 PRIMARY KEY (line, version);
ALTER TABLE ONLY public.river_notification
    ADD CONSTRAINT river_notification_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.river_queue
    ADD CONSTRAINT river_queue_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.round_edits
    ADD CONSTRAINT round_edits_pkey PRIMARY KEY (round_id, image_id);
ALTER TABLE ONLY public.round_events
    ADD CONSTRAINT round_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_idempotency UNIQUE (project_id, idempotency_key);
ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_project_id_number_key UNIQUE (project_id, number);
ALTER TABLE ONLY public.scan_chunks
    ADD CONSTRAINT scan_chunks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_one_per_version UNIQUE (version_id, image_id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_hash_key UNIQUE (hash);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_id_grid_height_grid_width_key UNIQUE (id, grid_height, grid_width);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_one_per_round UNIQUE (round_id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_project_id_number_key UNIQUE (project_id, number);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (id);
CREATE INDEX audit_project ON public.audit USING btree (project_id, id DESC);
CREATE INDEX edits_author ON public.edits USING btree (author_id);
CREATE UNIQUE INDEX edits_one_approved ON public.edits USING btree (task_id) WHERE (state = 'approved'::text);
CREATE UNIQUE INDEX edits_one_in_review ON public.edits USING btree (task_id) WHERE (state = 'submitted'::text);
CREATE INDEX images_split ON public.images USING btree (project_id, split, id);
CREATE INDEX job_parts_job ON public.job_parts USING btree (job_id);
CREATE UNIQUE INDEX jobs_one_per_round ON public.jobs USING btree (round_id) WHERE (round_id IS NOT NULL);
CREATE UNIQUE INDEX jobs_one_scan ON public.jobs USING btree (version_id) WHERE ((kind = 'scan'::text) AND (state = ANY (ARRAY['queued'::text, 'running'::text])));
CREATE INDEX jobs_project ON public.jobs USING btree (project_id, id DESC);
CREATE INDEX predictions_image ON public.predictions USING btree (image_id);
CREATE INDEX river_job_args_index ON public.river_job USING gin (args);
CREATE INDEX river_job_kind ON public.river_job USING btree (kind);
CREATE INDEX river_job_metadata_index ON public.river_job USING gin (metadata);
CREATE INDEX river_job_prioritized_fetching_index ON public.river_job USING btree (state, queue, priority, scheduled_at, id);
CREATE INDEX river_job_state_and_finalized_at_index ON public.river_job USING btree (state, finalized_at) WHERE (finalized_at IS NOT NULL);
CREATE UNIQUE INDEX river_job_unique_idx ON public.river_job USING btree (unique_key) WHERE ((unique_key IS NOT NULL) AND (unique_states IS NOT NULL) AND public.river_job_state_in_bitmask(unique_states, state));
CREATE INDEX river_notification_created_at_idx ON public.river_notification USING btree (created_at);
CREATE INDEX river_notification_topic_id_idx ON public.river_notification USING btree (topic, id);
CREATE INDEX round_edits_edit ON public.round_edits USING btree (edit_id);
CREATE UNIQUE INDEX round_events_one_point ON public.round_events USING btree (round_id, arm, step) WHERE (kind = 'point'::text);
CREATE UNIQUE INDEX round_events_one_round ON public.round_events USING btree (round_id) WHERE (kind = 'round'::text);
CREATE INDEX round_events_order ON public.round_events USING btree (round_id, id);
CREATE UNIQUE INDEX rounds_one_running ON public.rounds USING btree (project_id) WHERE (state = ANY (ARRAY['queued'::text, 'training'::text, 'evaluating'::text]));
CREATE INDEX scan_chunks_waiting ON public.scan_chunks USING btree (job_id, id) WHERE (done_at IS NULL);
CREATE INDEX sessions_expiry ON public.sessions USING btree (expiry);
CREATE INDEX tasks_all ON public.tasks USING btree (project_id, confidence DESC, id);
CREATE INDEX tasks_author ON public.tasks USING btree (author_id, state) WHERE (author_id IS NOT NULL);
CREATE INDEX tasks_image ON public.tasks USING btree (image_id);
CREATE INDEX tasks_leases ON public.tasks USING btree (project_id, lease_expires_at) WHERE (state = 'leased'::text);
CREATE INDEX tasks_queue ON public.tasks USING btree (project_id, state, confidence DESC, id);
CREATE INDEX tasks_review ON public.tasks USING btree (project_id, submitted_at, id) WHERE (state = 'submitted'::text);
CREATE INDEX tokens_user ON public.tokens USING btree (user_id);
CREATE INDEX uploads_project ON public.uploads USING btree (project_id, id DESC);
CREATE UNIQUE INDEX users_email_key ON public.users USING btree (lower(email));
CREATE UNIQUE INDEX versions_one_active ON public.versions USING btree (project_id) WHERE (state = 'active'::text);
CREATE TRIGGER audit_append_only BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.audit_append_only();
CREATE TRIGGER edits_append_only BEFORE DELETE OR UPDATE ON public.edits FOR EACH ROW EXECUTE FUNCTION public.edits_append_only();
CREATE CONSTRAINT TRIGGER edits_judged_by_review AFTER INSERT OR UPDATE OF state ON public.edits DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.state = ANY (ARRAY['approved'::text, 'rejected'::text]))) EXECUTE FUNCTION public.edits_judged_by_review();
CREATE TRIGGER edits_no_truncate BEFORE TRUNCATE ON public.edits FOR EACH STATEMENT EXECUTE FUNCTION public.edits_append_only();
CREATE TRIGGER reviews_check BEFORE INSERT OR DELETE OR UPDATE ON public.reviews FOR EACH ROW EXECUTE FUNCTION public.reviews_check();
CREATE TRIGGER reviews_no_truncate BEFORE TRUNCATE ON public.reviews FOR EACH STATEMENT EXECUTE FUNCTION public.reviews_check();
CREATE TRIGGER round_events_wake AFTER INSERT ON public.round_events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.round_events_wake();
CREATE TRIGGER rounds_state_order BEFORE UPDATE OF state ON public.rounds FOR EACH ROW EXECUTE FUNCTION public.rounds_state_order();
CREATE TRIGGER versions_keep_content BEFORE UPDATE ON public.versions FOR EACH ROW EXECUTE FUNCTION public.versions_keep_content();
CREATE CONSTRAINT TRIGGER versions_keep_one_active AFTER INSERT OR UPDATE OF state ON public.versions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.versions_keep_one_active();
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.classes
    ADD CONSTRAINT classes_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.edit_histories
    ADD CONSTRAINT edit_histories_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.edit_histories
    ADD CONSTRAINT edit_histories_task_id_revision_fkey FOREIGN KEY (task_id, revision) REFERENCES public.edits(task_id, revision);
ALTER TABLE ONLY public.edits
    ADD CONSTRAINT edits_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.edits
    ADD CONSTRAINT edits_grid FOREIGN KEY (version_id, map_height, map_width) REFERENCES public.versions(id, grid_height, grid_width);
ALTER TABLE ONLY public.edits
    ADD CONSTRAINT edits_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.job_parts
    ADD CONSTRAINT job_parts_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_first_unreadable_fkey FOREIGN KEY (first_unreadable) REFERENCES public.images(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_round_id_fkey FOREIGN KEY (round_id) REFERENCES public.rounds(id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT predictions_grid FOREIGN KEY (version_id, map_height, map_width) REFERENCES public.versions(id, grid_height, grid_width);
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT predictions_image_id_fkey FOREIGN KEY (image_id) REFERENCES public.images(id);
ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_edit_id_fkey FOREIGN KEY (edit_id) REFERENCES public.edits(id);
ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_reviewer_id_fkey FOREIGN KEY (reviewer_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.round_edits
    ADD CONSTRAINT round_edits_edit_id_fkey FOREIGN KEY (edit_id) REFERENCES public.edits(id);
ALTER TABLE ONLY public.round_edits
    ADD CONSTRAINT round_edits_image_id_fkey FOREIGN KEY (image_id) REFERENCES public.images(id);
ALTER TABLE ONLY public.round_edits
    ADD CONSTRAINT round_edits_round_id_fkey FOREIGN KEY (round_id) REFERENCES public.rounds(id);
ALTER TABLE ONLY public.round_events
    ADD CONSTRAINT round_events_round_id_fkey FOREIGN KEY (round_id) REFERENCES public.rounds(id);
ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_parent_version_fkey FOREIGN KEY (parent_version) REFERENCES public.versions(id);
ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_started_by_fkey FOREIGN KEY (started_by) REFERENCES public.users(id);
ALTER TABLE ONLY public.scan_chunks
    ADD CONSTRAINT scan_chunks_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_image_id_fkey FOREIGN KEY (image_id) REFERENCES public.images(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_version_id_image_id_fkey FOREIGN KEY (version_id, image_id) REFERENCES public.predictions(version_id, image_id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_uploaded_by_fkey FOREIGN KEY (uploaded_by) REFERENCES public.users(id);
ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_round_fk FOREIGN KEY (round_id) REFERENCES public.rounds(id);
