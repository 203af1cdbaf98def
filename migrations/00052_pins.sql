-- A verdict may point at cells of the map that it is about.

-- +goose Up
ALTER TABLE reviews
    ADD COLUMN pins jsonb NOT NULL DEFAULT '[]' CONSTRAINT reviews_pins CHECK (jsonb_typeof(pins) = 'array'),
    DROP CONSTRAINT reviews_rejection_says_why,
    ADD CONSTRAINT reviews_rejection_says_why CHECK (verdict <> 'reject' OR btrim(comment) <> '' OR reasons <> '{}' OR pins <> '[]');
COMMENT ON COLUMN reviews.pins IS 'Cells of the edit''s map with words to each: row and column, from 0 (annotator.Pin).';
CREATE TRIGGER reviews_pins_stay BEFORE UPDATE ON reviews FOR EACH ROW WHEN (NEW.pins <> OLD.pins) EXECUTE FUNCTION reviews_rule_check();

-- +goose Down
-- +goose StatementBegin
DO $$ BEGIN
    IF EXISTS (SELECT FROM reviews WHERE pins <> '[]') THEN
        RAISE EXCEPTION 'a verdict points at cells, which the schema before cannot hold';
    END IF;
END $$;
-- +goose StatementEnd
DROP TRIGGER reviews_pins_stay ON reviews;
ALTER TABLE reviews
    DROP CONSTRAINT reviews_rejection_says_why,
    ADD CONSTRAINT reviews_rejection_says_why CHECK (verdict <> 'reject' OR btrim(comment) <> '' OR reasons <> '{}'),
    DROP COLUMN pins;
