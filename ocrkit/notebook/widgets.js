// Uploads of widgets.py. A file that is too large for the connection to the kernel would end it without a
// word, so it is stopped here, and its name and size are sent in a hidden field instead.
if (!window.ocrkitUploads) {
  window.ocrkitUploads = true;

  const refuse = (reader, file) => {
    const field = reader.querySelector('.ocrkit-refused input');
    field.value = JSON.stringify({name: file.name, size: file.size, time: Date.now()});
    field.dispatchEvent(new Event('input', {bubbles: true}));
  };

  const watch = (input, reader) => {
    if (input.ocrkitWatched) return;
    input.ocrkitWatched = true;
    input.addEventListener('change', event => {
      const limit = Number(reader.querySelector('[data-limit]').dataset.limit);
      const large = [...input.files].find(file => file.size > limit);
      if (large) {
        event.stopImmediatePropagation();
        refuse(reader, large);
      }
    }, true);
  };

  // The file input of ipywidgets is not in the page; it can be met when the upload button clicks it.
  window.addEventListener('click', event => {
    const reader = event.target.closest?.('.ocrkit-upload')?.closest('.ocrkit');
    if (!reader) return;
    const prototype = HTMLInputElement.prototype, click = prototype.click;
    prototype.click = function () {
      prototype.click = click;
      if (this.type === 'file') watch(this, reader);
      click.call(this);
    };
    setTimeout(() => { prototype.click = click; });
  }, true);
}
