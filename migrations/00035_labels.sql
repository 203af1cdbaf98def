-- A label can be found wrong: somebody says so, another person confirms it. What the source said stays beside it. An image can be left
-- out for several reasons, one of which may end while the others stay.

-- +goose Up
ALTER TABLE images
    ADD COLUMN source_label integer,
    ADD COLUMN left_out text[] NOT NULL DEFAULT '{}' CONSTRAINT images_left_out_why CHECK (left_out <@ '{leakage,none-of-these,ambiguous}');
UPDATE images SET source_label = label, left_out = CASE WHEN left_out_at IS NULL THEN '{}' ELSE '{leakage}' END::text[]
    WHERE label IS NOT NULL OR left_out_at IS NOT NULL;
DROP INDEX images_left_out;
ALTER TABLE images DROP COLUMN left_out_at;
CREATE INDEX images_left_out ON images (project_id) WHERE left_out <> '{}';
COMMENT ON COLUMN images.source_label IS 'The class that its source gave it when an import took it over last; label differs where people corrected it.';
COMMENT ON COLUMN images.left_out IS 'Why it does not count: leakage in held-out splits; none-of-these and ambiguous neither there nor in training.';

CREATE TABLE label_verdicts (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id     bigint NOT NULL REFERENCES projects,
    image_id       bigint NOT NULL REFERENCES images,
    state          text NOT NULL CHECK (state IN ('proposed', 'confirmed', 'rejected', 'withdrawn', 'vouched')),
    says           text NOT NULL CHECK (says IN ('class', 'none-of-these', 'ambiguous', 'right')),
    class          integer,
    was            integer,
    author_id      bigint NOT NULL REFERENCES users,
    comment        text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL,
    reviewer_id    bigint REFERENCES users,
    review_comment text NOT NULL DEFAULT '',
    judged_at      timestamptz,
    CONSTRAINT label_verdicts_class CHECK ((says = 'class') = (class IS NOT NULL)),
    CONSTRAINT label_verdicts_vouched CHECK ((says = 'right') = (state = 'vouched')),
    CONSTRAINT label_verdicts_reviewer CHECK ((state IN ('confirmed', 'rejected')) = (reviewer_id IS NOT NULL)),
    CONSTRAINT label_verdicts_judged CHECK ((state IN ('proposed', 'vouched')) = (judged_at IS NULL)),
    CONSTRAINT label_verdicts_rejection_says_why CHECK (state <> 'rejected' OR btrim(review_comment) <> '')
);
CREATE UNIQUE INDEX label_verdicts_one_proposed ON label_verdicts (image_id) WHERE state = 'proposed';
CREATE INDEX label_verdicts_image ON label_verdicts (image_id, id);
CREATE INDEX label_verdicts_state ON label_verdicts (project_id, state, id);
COMMENT ON TABLE label_verdicts IS 'What people say of the labels of images. Rows are only added; a proposed one is decided once, by another person than its author.';
COMMENT ON COLUMN label_verdicts.was IS 'The label when it was said.';

-- +goose StatementBegin
CREATE FUNCTION label_verdicts_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'verdicts on labels are only added, never removed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'label_verdicts_append_only';
    END IF;
    IF (NEW.id, NEW.project_id, NEW.image_id, NEW.says, NEW.class, NEW.was, NEW.author_id, NEW.comment, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.project_id, OLD.image_id, OLD.says, OLD.class, OLD.was, OLD.author_id, OLD.comment, OLD.created_at)
       OR OLD.state <> 'proposed' THEN
        RAISE EXCEPTION 'verdict % cannot be changed: add one', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'label_verdicts_append_only';
    END IF;
    IF NEW.reviewer_id = OLD.author_id THEN
        RAISE EXCEPTION 'user % said it and cannot judge it', NEW.reviewer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'label_verdicts_not_by_author';
    END IF;
    IF NEW.reviewer_id IS NOT NULL AND NOT EXISTS (SELECT FROM users WHERE id = NEW.reviewer_id AND role IN ('reviewer', 'admin') AND NOT disabled) THEN
        RAISE EXCEPTION 'user % is no reviewer', NEW.reviewer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'label_verdicts_by_reviewer';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER label_verdicts_check BEFORE UPDATE OR DELETE ON label_verdicts FOR EACH ROW EXECUTE FUNCTION label_verdicts_check();
CREATE TRIGGER label_verdicts_no_truncate BEFORE TRUNCATE ON label_verdicts FOR EACH STATEMENT EXECUTE FUNCTION label_verdicts_check();

CREATE TABLE label_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    image_id   bigint NOT NULL REFERENCES images,
    at         timestamptz NOT NULL,
    was        text NOT NULL,
    became     text NOT NULL,
    left_out   text NOT NULL DEFAULT '' CHECK (left_out IN ('', 'none-of-these', 'ambiguous')),
    cause      text NOT NULL CHECK (cause IN ('verdict', 'import')),
    verdict_id bigint REFERENCES label_verdicts,
    CONSTRAINT label_changes_by_verdict CHECK ((cause = 'verdict') = (verdict_id IS NOT NULL))
);
CREATE INDEX label_changes_image ON label_changes (image_id, id);
COMMENT ON TABLE label_changes IS 'The history of each image''s label. Classes are named by their keys, since their numbers may change before the first model.';

-- +goose StatementBegin
CREATE FUNCTION label_changes_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of labels is only added to'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'label_changes_append_only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER label_changes_append_only BEFORE UPDATE OR DELETE ON label_changes FOR EACH ROW EXECUTE FUNCTION label_changes_append_only();
CREATE TRIGGER label_changes_no_truncate BEFORE TRUNCATE ON label_changes FOR EACH STATEMENT EXECUTE FUNCTION label_changes_append_only();

-- +goose Down
DROP TABLE label_changes, label_verdicts;
DROP FUNCTION label_changes_append_only, label_verdicts_check;
DROP INDEX images_left_out;
ALTER TABLE images ADD COLUMN left_out_at timestamptz;
UPDATE images SET left_out_at = now() WHERE 'leakage' = ANY (left_out);
ALTER TABLE images DROP COLUMN left_out, DROP COLUMN source_label;
CREATE INDEX images_left_out ON images (project_id) WHERE left_out_at IS NOT NULL;
