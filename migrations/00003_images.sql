-- +goose Up
CREATE TABLE images (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects,
    name       text NOT NULL CHECK (name <> ''),
    split      text NOT NULL CHECK (split IN ('train', 'validation', 'test', 'pool')),
    label      integer,
    group_name text NOT NULL DEFAULT '',
    hash       text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    mask_hash  text NOT NULL DEFAULT '' CHECK (mask_hash = '' OR mask_hash ~ '^[0-9a-f]{64}$'),
    width      integer NOT NULL CHECK (width >= 0),
    height     integer NOT NULL CHECK (height >= 0),
    broken     text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT images_name_key UNIQUE (project_id, name),
    CONSTRAINT images_size_known CHECK (broken <> '' OR (width > 0 AND height > 0))
);
-- Whether label is a class of the project is checked by the import: the classes of a project without
-- a model are renumbered when its first model says in which order its logits are.
CREATE INDEX images_split ON images (project_id, split, id);
COMMENT ON TABLE images IS 'Pictures of a project. Their bytes are blobs under hash.';
COMMENT ON COLUMN images.broken IS 'Why the file cannot be decoded; empty if it can.';
COMMENT ON COLUMN images.group_name IS 'Subgroup for worst-group accuracy, such as the scene.';

-- +goose Down
DROP TABLE images;
