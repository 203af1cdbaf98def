-- What each project's files take, and how much they may. ADR 51.

-- +goose Up
ALTER TABLE images
    ADD COLUMN bytes      bigint CHECK (bytes >= 0),
    ADD COLUMN mask_bytes bigint NOT NULL DEFAULT 0 CHECK (mask_bytes >= 0);
COMMENT ON COLUMN images.bytes IS 'Size of the file; 0 of one that is not kept since it cannot be read, null where nobody has counted it yet.';
COMMENT ON COLUMN images.mask_bytes IS 'Size of the mask''s file, where there is one; as unknown as bytes.';

ALTER TABLE projects ADD COLUMN quota bigint CHECK (quota > 0);
COMMENT ON COLUMN projects.quota IS 'Most bytes that its files may take; null: the studio''s own, if it has one.';

ALTER TABLE installation ADD COLUMN project_quota bigint CHECK (project_quota > 0);
COMMENT ON COLUMN installation.project_quota IS 'Most bytes that a project''s files may take that has no quota of its own; null: as many as there is room for.';

ALTER TABLE rounds ADD COLUMN bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0);
COMMENT ON COLUMN rounds.bytes IS 'What its checkpoints and its candidate may take at most, which counts until it is over.';

CREATE TABLE project_space (
    project_id  bigint PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
    images      bigint NOT NULL,
    image_bytes bigint NOT NULL,
    masks       bigint NOT NULL,
    mask_bytes  bigint NOT NULL,
    uncounted   bigint NOT NULL
);
COMMENT ON TABLE project_space IS 'How many files of images and masks a project has, and their bytes: kept by a trigger on images. Files of the same bytes count for each image that has them.';
COMMENT ON COLUMN project_space.uncounted IS 'Images whose size is not known yet.';

CREATE TABLE blob_space (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    counted_at timestamptz NOT NULL,
    files      bigint NOT NULL,
    bytes      bigint NOT NULL,
    referred   bigint NOT NULL
);
COMMENT ON TABLE blob_space IS 'What the whole blob store held when the worker that tidies last listed it.';
COMMENT ON COLUMN blob_space.referred IS 'Bytes that projects had then, by which what was added since is told.';

-- +goose StatementBegin
CREATE FUNCTION images_space() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO project_space AS s (project_id, images, image_bytes, masks, mask_bytes, uncounted)
        SELECT project_id, count(*) FILTER (WHERE purged_at IS NULL), coalesce(sum(bytes) FILTER (WHERE purged_at IS NULL), 0),
            count(*) FILTER (WHERE mask_hash <> ''), coalesce(sum(mask_bytes) FILTER (WHERE mask_hash <> ''), 0), count(*) FILTER (WHERE purged_at IS NULL AND bytes IS NULL)
        FROM added GROUP BY project_id
        ON CONFLICT (project_id) DO UPDATE SET images = s.images + excluded.images, image_bytes = s.image_bytes + excluded.image_bytes,
            masks = s.masks + excluded.masks, mask_bytes = s.mask_bytes + excluded.mask_bytes, uncounted = s.uncounted + excluded.uncounted;
    ELSE -- most updates change nothing of this, and must not wait for each other
        UPDATE project_space s SET images = s.images + d.images, image_bytes = s.image_bytes + d.image_bytes, masks = s.masks + d.masks,
            mask_bytes = s.mask_bytes + d.mask_bytes, uncounted = s.uncounted + d.uncounted
        FROM (
            SELECT project_id, coalesce(sum(n) FILTER (WHERE kept), 0) AS images, coalesce(sum(n * bytes) FILTER (WHERE kept), 0) AS image_bytes,
                coalesce(sum(n) FILTER (WHERE masked), 0) AS masks, coalesce(sum(n * mask_bytes) FILTER (WHERE masked), 0) AS mask_bytes,
                coalesce(sum(n) FILTER (WHERE kept AND bytes IS NULL), 0) AS uncounted
            FROM (
                SELECT project_id, bytes, mask_bytes, purged_at IS NULL AS kept, mask_hash <> '' AS masked, 1 AS n FROM changed
                UNION ALL SELECT project_id, bytes, mask_bytes, purged_at IS NULL, mask_hash <> '', -1 FROM former
            ) AS both_sides GROUP BY project_id
        ) AS d
        WHERE s.project_id = d.project_id AND (d.images, d.image_bytes, d.masks, d.mask_bytes, d.uncounted) <> (0, 0, 0, 0, 0);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER images_space_added AFTER INSERT ON images REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION images_space();
CREATE TRIGGER images_space_changed AFTER UPDATE ON images REFERENCING OLD TABLE AS former NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION images_space();

INSERT INTO project_space (project_id, images, image_bytes, masks, mask_bytes, uncounted)
SELECT project_id, count(*) FILTER (WHERE purged_at IS NULL), 0, count(*) FILTER (WHERE mask_hash <> ''), 0, count(*) FILTER (WHERE purged_at IS NULL) FROM images GROUP BY project_id;
CREATE INDEX images_uncounted ON images (id) WHERE bytes IS NULL AND purged_at IS NULL;

-- +goose Down
DROP TRIGGER images_space_added ON images;
DROP TRIGGER images_space_changed ON images;
DROP FUNCTION images_space;
DROP TABLE blob_space, project_space;
DROP INDEX images_uncounted;
ALTER TABLE images DROP COLUMN bytes, DROP COLUMN mask_bytes;
ALTER TABLE projects DROP COLUMN quota;
ALTER TABLE installation DROP COLUMN project_quota;
ALTER TABLE rounds DROP COLUMN bytes;
