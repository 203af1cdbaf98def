-- A network's map may act on the features in another way than the two that have a name.

-- +goose Up
ALTER TABLE versions DROP CONSTRAINT versions_gain_check;
ALTER TABLE versions ADD CONSTRAINT versions_gain_check CHECK (gain IN ('1+M', 'M', 'other'));

-- +goose Down
ALTER TABLE versions DROP CONSTRAINT versions_gain_check;
ALTER TABLE versions ADD CONSTRAINT versions_gain_check CHECK (gain IN ('1+M', 'M'));
