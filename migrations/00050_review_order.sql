-- What orders the maps that wait for review, besides their age and their author: how much the edit changes the score of the true class, and how
-- far it is from the network's own map.

-- +goose Up
CREATE TABLE edit_figures (
    edit_id      bigint PRIMARY KEY REFERENCES edits,
    gain         real CHECK (gain BETWEEN -1 AND 1),
    disagreement real CHECK (disagreement BETWEEN 0 AND 1)
);
COMMENT ON TABLE edit_figures IS 'Figures of submitted edits, worked out when somebody lists what waits for review (annotator.ReviewFigures). They follow from the edit, and are not archived.';
COMMENT ON COLUMN edit_figures.gain IS 'Probability of the true class with the edit less that with the network''s own map; null where one is not known.';
COMMENT ON COLUMN edit_figures.disagreement IS '1 less the soft IoU of the network''s map and the edit; null where both are zero.';

-- +goose Down
DROP TABLE edit_figures;
