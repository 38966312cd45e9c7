/**
 * From the configuration files of the hub to the models' own: open_clip's `open_clip_config.json` for the vision
 * encoder, Hugging Face's `config.json` for the language model.
 */
export { languageModel } from "./languageConfiguration.js";
export { type VisionConfiguration, visionConfiguration } from "./visionConfiguration.js";
