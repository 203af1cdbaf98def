-- +goose Up
CREATE TABLE projects (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug        text NOT NULL CONSTRAINT projects_slug_key UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name        text NOT NULL CHECK (btrim(name) <> ''),
    description text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE projects IS 'One classifier each, its images and the work of its people.';

CREATE TABLE classes (
    project_id bigint NOT NULL REFERENCES projects,
    index      integer NOT NULL CHECK (index >= 0),
    key        text NOT NULL CHECK (key <> ''),
    name       text NOT NULL CHECK (name <> ''),
    PRIMARY KEY (project_id, index) DEFERRABLE,
    CONSTRAINT classes_key UNIQUE (project_id, key) DEFERRABLE
);
COMMENT ON TABLE classes IS 'The K answers of a project''s classifier; index is the place among the model''s logits.';

-- +goose Down
DROP TABLE classes, projects;
