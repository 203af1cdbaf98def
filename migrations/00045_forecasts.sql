-- Before a round, a project says whether its approved maps are likely to pay: what the active version answers with them in the place of its
-- own.

-- +goose Up
CREATE TABLE forecasts (
    version_id bigint PRIMARY KEY REFERENCES versions,
    edits      bigint[] NOT NULL,
    figures    jsonb NOT NULL,
    answers    jsonb NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE forecasts IS 'The latest forecast of each version.';
COMMENT ON COLUMN forecasts.edits IS 'The edits that it was made of.';
COMMENT ON COLUMN forecasts.answers IS 'What the version answers to each image under each map; figures follow from it.';
ALTER TABLE jobs
    DROP CONSTRAINT jobs_kind_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('import', 'scan', 'round', 'evaluate', 'add', 'forecast')),
    ADD CONSTRAINT jobs_forecast_version CHECK (kind <> 'forecast' OR version_id IS NOT NULL);
CREATE UNIQUE INDEX jobs_one_forecast ON jobs (version_id) WHERE kind = 'forecast' AND finished_at IS NULL;

-- +goose Down
DELETE FROM jobs WHERE kind = 'forecast';
DROP INDEX jobs_one_forecast;
ALTER TABLE jobs
    DROP CONSTRAINT jobs_forecast_version,
    DROP CONSTRAINT jobs_kind_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('import', 'scan', 'round', 'evaluate', 'add'));
DROP TABLE forecasts;
