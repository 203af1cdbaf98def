-- +goose Up
CREATE TABLE jobs (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id        bigint NOT NULL REFERENCES projects,
    kind              text NOT NULL CHECK (kind IN ('import', 'scan', 'round', 'evaluate')),
    state             text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled')),
    version_id        bigint REFERENCES versions,
    round_id          bigint REFERENCES rounds,
    done              integer NOT NULL DEFAULT 0 CHECK (done >= 0),
    total             integer NOT NULL DEFAULT 0 CHECK (total >= 0),
    remaining_seconds double precision NOT NULL DEFAULT 0,
    message           text NOT NULL DEFAULT '',
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    finished_at       timestamptz,
    CONSTRAINT jobs_started_when CHECK (state <> 'queued' OR started_at IS NULL),
    CONSTRAINT jobs_running_started CHECK (state <> 'running' OR started_at IS NOT NULL),
    CONSTRAINT jobs_over_when CHECK ((state IN ('finished', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT jobs_scan_version CHECK (kind <> 'scan' OR version_id IS NOT NULL),
    CONSTRAINT jobs_round CHECK ((kind = 'round') = (round_id IS NOT NULL))
);
CREATE INDEX jobs_project ON jobs (project_id, id DESC);
CREATE UNIQUE INDEX jobs_one_scan ON jobs (version_id) WHERE kind = 'scan' AND state IN ('queued', 'running');
CREATE UNIQUE INDEX jobs_one_per_round ON jobs (round_id) WHERE round_id IS NOT NULL;
COMMENT ON TABLE jobs IS 'Background work as pages show it. One may stand for several rows of river_job, as a scan does.';

CREATE TABLE job_parts (
    job_id       bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    river_job_id bigint NOT NULL PRIMARY KEY
);
CREATE INDEX job_parts_job ON job_parts (job_id);
COMMENT ON TABLE job_parts IS 'Which rows of river_job work on which job.';

CREATE TABLE workers (
    id           text PRIMARY KEY,
    host         text NOT NULL,
    pid          integer NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE workers IS 'Processes that work on jobs, by the ID of their River client, and when each was last heard of.';

-- +goose Down
DROP TABLE workers, job_parts, jobs;
