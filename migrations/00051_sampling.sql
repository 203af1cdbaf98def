-- A project can have a part of people's maps reviewed in place of all. What is not drawn into the sample is approved by that rule, in the name
-- of a program, and says so. The draw is a hash of the task under a seed that nobody is shown.

-- +goose Up
ALTER TABLE projects
    ADD COLUMN review_share  smallint NOT NULL DEFAULT 100 CONSTRAINT projects_review_share CHECK (review_share BETWEEN 0 AND 100),
    ADD COLUMN newcomer_maps integer NOT NULL DEFAULT 20 CONSTRAINT projects_newcomer_maps CHECK (newcomer_maps BETWEEN 0 AND 1000),
    ADD COLUMN sampling_seed uuid NOT NULL DEFAULT gen_random_uuid();
COMMENT ON COLUMN projects.review_share IS 'How much of an author''s maps is reviewed, in per cent (annotator.Sampling).';
COMMENT ON COLUMN projects.newcomer_maps IS 'How many maps of an author people approve before a part of their maps is reviewed, at first and after one of the sample was sent back.';
COMMENT ON COLUMN projects.sampling_seed IS 'Decides which tasks are drawn. No page and no API shows it.';
CREATE TRIGGER projects_sampling BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL) AND (OLD.review_share, OLD.newcomer_maps) IS DISTINCT FROM (NEW.review_share, NEW.newcomer_maps))
    EXECUTE FUNCTION projects_stay();

ALTER TABLE reviews ADD COLUMN rule text NOT NULL DEFAULT '' CONSTRAINT reviews_rule CHECK (rule IN ('', 'sampling') AND (rule = '' OR verdict = 'approve'));
COMMENT ON COLUMN reviews.rule IS 'The rule by which a program judged; empty: a verdict as people give it.';

CREATE TABLE draws (
    edit_id bigint PRIMARY KEY REFERENCES edits,
    share   smallint NOT NULL CHECK (share BETWEEN 0 AND 100),
    place   real NOT NULL CHECK (place >= 0 AND place < 1),
    why     text NOT NULL CONSTRAINT draws_why CHECK (why IN ('newcomer', 'sent-back', 'again', 'drawn', 'passed'))
);
COMMENT ON TABLE draws IS 'Whether a submitted map was drawn into the sample that people review, in projects that review a part.';
COMMENT ON COLUMN draws.share IS 'How much of its author''s maps was reviewed then, in per cent.';
COMMENT ON COLUMN draws.place IS 'Of the task, from the seed: it is drawn where this is below the share.';
COMMENT ON COLUMN draws.why IS 'passed: it was not drawn and is approved; else why people review it.';

-- +goose StatementBegin
CREATE FUNCTION reviews_rule_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'review % cannot be changed: it can be taken back once', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_append_only';
    END IF;
    IF NOT EXISTS (SELECT FROM users WHERE id = NEW.reviewer_id AND generator)
       OR current_setting('studio.unpacking', true) IS DISTINCT FROM 'on' AND NOT EXISTS (SELECT FROM draws WHERE edit_id = NEW.edit_id AND why = 'passed') THEN
        RAISE EXCEPTION 'edit % was not passed over by the rule', NEW.edit_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_by_rule';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER reviews_rule_made BEFORE INSERT ON reviews FOR EACH ROW WHEN (NEW.rule <> '') EXECUTE FUNCTION reviews_rule_check();
CREATE TRIGGER reviews_rule_stays BEFORE UPDATE ON reviews FOR EACH ROW WHEN (NEW.rule <> OLD.rule) EXECUTE FUNCTION reviews_rule_check();

-- +goose Down
DROP TRIGGER reviews_rule_made ON reviews;
DROP TRIGGER reviews_rule_stays ON reviews;
DROP FUNCTION reviews_rule_check;
DROP TABLE draws;
ALTER TABLE reviews DROP COLUMN rule;
DROP TRIGGER projects_sampling ON projects;
ALTER TABLE projects DROP COLUMN review_share, DROP COLUMN newcomer_maps, DROP COLUMN sampling_seed;
