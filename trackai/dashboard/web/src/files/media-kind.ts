// What a file is shown as, by its name.

const MEDIA_NAMES = {
  image: /\.(png|jpe?g|gif|webp)$/i,
  audio: /\.(wav|mp3|flac|og[ga]|opus|m4a)$/i,
  video: /\.(mp4|m4v|mov|webm|mkv)$/i,
};

export type MediaKind = keyof typeof MEDIA_NAMES;

export const mediaKind = (name: string): MediaKind | undefined =>
  (Object.keys(MEDIA_NAMES) as MediaKind[]).find((kind) => MEDIA_NAMES[kind].test(name));
