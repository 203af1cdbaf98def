-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION task_drawn_by(task bigint) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT e.author_id ORDER BY e.author_id), '{}') FROM edits e
    WHERE e.task_id = task
        AND (e.revision > coalesce((SELECT max(j.revision) FROM edits j WHERE j.task_id = task AND j.state IN ('approved', 'rejected')), 0)
             OR e.map = (SELECT s.map FROM edits s WHERE s.task_id = task AND s.state = 'submitted'))
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION task_drawn_by IS 'Who had a hand in what is to be judged of a task: drew any revision since the last verdict, or drew the same map before it. They do not judge it. annotator.TaskCard.MayJudge is the rule; queues, pages and reviews_check ask this.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION reviews_check() RETURNS trigger LANGUAGE plpgsql AS $$
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
-- +goose StatementEnd
COMMENT ON TABLE reviews IS 'Judgements of submitted edits. Whoever drew any revision since the last verdict is never the reviewer.';

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION reviews_check() RETURNS trigger LANGUAGE plpgsql AS $$
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
COMMENT ON TABLE reviews IS 'Judgements of submitted edits. The author of a map is never its reviewer.';
DROP FUNCTION task_drawn_by;
