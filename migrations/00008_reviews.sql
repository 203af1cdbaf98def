-- +goose Up
CREATE TABLE reviews (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    edit_id     bigint NOT NULL CONSTRAINT reviews_one_per_edit UNIQUE REFERENCES edits,
    reviewer_id bigint NOT NULL REFERENCES users,
    verdict     text NOT NULL CHECK (verdict IN ('approve', 'reject')),
    comment     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reviews_rejection_says_why CHECK (verdict <> 'reject' OR btrim(comment) <> '')
);
COMMENT ON TABLE reviews IS 'Judgements of submitted edits. The author of a map is never its reviewer.';

-- +goose StatementBegin
CREATE FUNCTION reviews_check() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF EXISTS (SELECT FROM edits e WHERE e.task_id = judged.task_id AND e.author_id = NEW.reviewer_id
               AND (e.id = judged.id OR e.map = judged.map)) THEN
        RAISE EXCEPTION 'the author of edit % cannot review it', judged.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_not_by_author';
    END IF;
    IF NOT EXISTS (SELECT FROM users WHERE id = NEW.reviewer_id AND role IN ('reviewer', 'admin') AND NOT disabled) THEN
        RAISE EXCEPTION 'user % is no reviewer', NEW.reviewer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_by_reviewer';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER reviews_check BEFORE INSERT OR UPDATE OR DELETE ON reviews
    FOR EACH ROW EXECUTE FUNCTION reviews_check();
CREATE TRIGGER reviews_no_truncate BEFORE TRUNCATE ON reviews
    FOR EACH STATEMENT EXECUTE FUNCTION reviews_check();

-- An edit is approved or rejected by a review that says so, and by nothing else.
-- +goose StatementBegin
CREATE FUNCTION edits_judged_by_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reviews WHERE edit_id = NEW.id
                   AND verdict = CASE NEW.state WHEN 'approved' THEN 'approve' ELSE 'reject' END) THEN
        RAISE EXCEPTION 'edit % is % without such a review', NEW.id, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_judged_by_review';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER edits_judged_by_review AFTER INSERT OR UPDATE OF state ON edits
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state IN ('approved', 'rejected'))
    EXECUTE FUNCTION edits_judged_by_review();

-- +goose Down
DROP TRIGGER edits_judged_by_review ON edits;
DROP TABLE reviews;
DROP FUNCTION reviews_check, edits_judged_by_review;
