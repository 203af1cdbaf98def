// How the style sheets are linted: by stylelint's standard, with its reasons where something is left out.
export default {
  extends: "stylelint-config-standard",
  reportNeedlessDisables: true,
  rules: {
    // One rule a line: the sheets are read down their selectors.
    "declaration-block-single-line-max-declarations": null,
    // It goes by a selector's last part, and takes `.crumbs a:hover` and `.tabs a`, which never meet, for one element.
    "no-descending-specificity": null,
    // Safari knows these two by their prefixed names only.
    "property-no-vendor-prefix": [true, { ignoreProperties: ["-webkit-text-size-adjust", "-webkit-user-select"] }],
  },
};
